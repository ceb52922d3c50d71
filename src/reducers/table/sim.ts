import type { SIM_EVENTS } from '../../events/sim.ts';
import { type InputKind, receivingPart } from '../../events/vocabulary.ts';
import * as lapic from '../../kvm/evolve/lapic.ts';
import * as timers from '../../kvm/evolve/timers.ts';
import * as vcpu from '../../kvm/evolve/vcpu.ts';
import * as board from '../../vmm/evolve/board.ts';
import { deviceFact, factForAll } from '../../vmm/evolve/devices.ts';
import { type Change, changes, kvm, type Owner, type Row, type Rows, tells, vmm } from '../row.ts';
import * as run from '../run.ts';
import * as threads from '../threads.ts';

type TimerKind = 'sim:timer_arm' | 'sim:timer_cancel' | 'sim:timer_fire';

/** The kernel's timers are called so; all others are a device's. */
const isKernels = ({ id }: { readonly id: string }): boolean => id.startsWith('kvm-');

const ofKernelOrDevice =
  <K extends TimerKind>(ofKernel: Change<K>, ofDevice: Change<K>): Change<K> =>
  (state, event, stamped, config) =>
    (isKernels(event) ? ofKernel : ofDevice)(state, event, stamped, config);

/** An input for the device that its row names. */
const received = <K extends InputKind>(): Row<K> =>
  changes<K>(['devices'], vmm<K>(deviceFact<K>((event) => receivingPart(event))));

const EVERYTHING: readonly Owner[] = [
  ...(['clock', 'schedule', 'chance', 'hostMemory', 'files', 'vm', 'ept', 'kernelTimers', 'pic', 'ioapic'] as const),
  ...(['lapics', 'pit', 'vcpus', 'board', 'timers', 'devices', 'drives'] as const),
];

export const SIM_ROWS: Rows<keyof typeof SIM_EVENTS> = {
  'sim:powered_on': changes(['clock', 'chance', 'devices'], run.poweredOn, vmm(factForAll())),
  'sim:serial_received': received(),
  'sim:chardev_received': received(),
  'sim:payload_received': received(),
  'sim:keyboard_received': received(),
  'sim:reset_requested': tells,
  'sim:wakeup_requested': tells,
  'sim:nmi_requested': tells,
  'sim:power_lost': changes(['schedule'], run.powerLost),
  'sim:drive_size_set': tells,
  'sim:continue_requested': tells,
  'sim:power_button_pressed': received(),
  'sim:intervened': tells,
  'sim:state_set': changes(EVERYTHING, run.fieldSet),
  'sim:vector_set': changes(['lapics', 'vcpus'], kvm(lapic.vectorSet)),
  'sim:forked': tells,
  'sim:stopped': changes(['schedule'], run.stopped),
  'sim:thread_switch': changes(['schedule', 'chance', 'vcpus'], threads.turnGiven, kvm(vcpu.turnLost)),
  'sim:turn_yielded': changes(['schedule'], threads.turnYielded),
  'sim:thread_woken': changes(['schedule'], threads.woken),
  'sim:thread_ran': changes(['schedule'], threads.ran),
  'sim:timer_arm': changes(
    ['kernelTimers', 'lapics', 'pit', 'timers'],
    ofKernelOrDevice(
      kvm(timers.armed),
      vmm((state, event, _config, stamped) => board.armed(state, event, stamped)),
    ),
  ),
  'sim:timer_cancel': changes(
    ['kernelTimers', 'timers'],
    ofKernelOrDevice(kvm(timers.cancelled), vmm(board.cancelled)),
  ),
  'sim:timer_fire': changes(
    ['kernelTimers', 'lapics', 'pit', 'timers', 'devices'],
    ofKernelOrDevice(kvm(timers.fired), vmm(board.fired)),
  ),
  'sim:idle_warped': changes(['clock'], run.warped),
  'sim:random_drawn': changes(['chance'], run.drawn),
  'sim:entropy_drawn': changes(['chance'], run.entropyDrawn),
  'sim:guest_pt_write': tells,
  'sim:mmap': changes(['hostMemory'], run.memoryGiven),
  'sim:exit_requested': changes(['schedule'], run.exitRequested),
  'sim:powered_off': changes(['schedule'], run.poweredOff),
  'sim:guest_panicked': changes(['schedule'], run.panicked),
  'sim:digest': tells,
  'sim:memory_digest': changes(['schedule'], run.memoryDigested),
  'sim:unknown': tells,
};
