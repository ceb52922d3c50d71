import { createKvm } from '../../../src/kvm/kvm.ts';
import type { Kvm, KvmKernel } from '../../../src/kvm/api.ts';
import { BASELINE_FEATURES } from '../../../src/kvm/vcpu/cpuid.ts';
import * as io from '../../../src/kvm/ioctl/ioctls.ts';
import { runOptions } from '../../../src/options/run-arguments.ts';
import type { Origin } from '../../../src/events/origin.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import {
  configurationOf,
  describeMachine,
  type MachineDescription,
} from '../../../src/runs/machine/machine-description.ts';
import { NODE } from '../../../src/host/node.ts';
import { startRecording } from '../../../src/runs/underway/recording.ts';
import { createMachine, type Machine } from '../../../src/machine/machine.ts';
import { CHANCE } from '../../../src/replay/sources/random.ts';
import { IDLE_MONITOR, populate } from '../../kvm/user-space.ts';
import { CALLS, type Held } from './calls.ts';
import { Draw } from './draw.ts';
import { erraticEngine, MEMORY_MIB } from './erratic-guest.ts';

/** A monitor that calls whatever KVM offers, over a processor that does whatever a guest could. */
export interface CallStorm {
  readonly seed: string;
  readonly cpus: number;
  /** With interrupt controllers in the kernel. */
  readonly irqchip: boolean;
  /** Times that a vCPU's thread is in user space. */
  readonly visits: number;
}

const EVENTFDS = 4;
const EVENTS_PER_DIGEST = 50;

/** The VM with its vCPUs, by the ioctls user space makes. */
function created(kernel: KvmKernel, origin: Origin, { cpus, irqchip }: CallStorm): Omit<Held, 'kvm' | 'draw'> {
  const kvm = kernel.calledBy(origin);
  const system = kvm.open();
  const vm = kvm.ioctl(system, io.KVM_CREATE_VM);
  for (const id of [1, 0]) kvm.ioctl(vm, io.KVM_SET_BOOT_CPU_ID, id);
  kvm.ioctl(vm, io.KVM_SET_TSS_ADDR, 0xfeffd000);
  kvm.ioctl(vm, io.KVM_SET_IDENTITY_MAP_ADDR, 0xfeffc000);
  if (irqchip) kvm.ioctl(vm, io.KVM_CREATE_IRQCHIP);
  if (irqchip) kvm.ioctl(vm, io.KVM_CREATE_PIT2, { flags: 1 });
  const vcpus = populate(kvm, system, vm, cpus);
  return { vm, vcpus, eventfds: Array.from({ length: EVENTFDS }, () => kvm.eventfd()) };
}

const TICKS_AT_ONCE = 20_000;
const NS_AT_ONCE = 400_000;
const CALLS_AT_ONCE = 4;
const IMMEDIATE_EVERY = 12;

/** What a thread in user space does, and back into KVM_RUN. */
function visit(held: Held, vcpu: number): void {
  const { kvm, draw, vcpus } = held;
  const fd = vcpus[vcpu] as number;
  for (let left = draw.below(CALLS_AT_ONCE); left > 0; left -= 1) draw.weighed(CALLS)(held, fd);
  const { io: port, mmio } = kvm.run(fd);
  const length = draw.of([0, 3, Math.max(port.size * port.count, mmio.length)]);
  kvm.ioctl(fd, io.KVM_RUN, {
    data: Uint8Array.from({ length }, () => draw.below(256)),
    msr: { data: BigInt(draw.word()), error: draw.once(3) ? 1 : 0 },
    immediateExit: draw.once(IMMEDIATE_EVERY),
    requestInterruptWindow: draw.once(3),
    ...(draw.once(3) ? { cr8: draw.below(16) } : {}),
  });
}

const descriptionOf = ({ cpus }: CallStorm): MachineDescription => {
  const options = ['-m', `${MEMORY_MIB}`, '-smp', `${cpus}`, '-nodefaults', '--no-trace'];
  return { ...describeMachine(runOptions(options), {}), eventsPerDigest: EVENTS_PER_DIGEST };
};

/** Drive a machine through the storm; every event is heard. */
export function stormOfCalls(storm: CallStorm, onEvent: (stamped: Stamped) => void): Machine {
  const draw = new Draw(storm.seed, 'calls');
  let visits = 0;
  let held: Omit<Held, 'kvm' | 'draw'> | undefined;
  let wakes: Kvm | undefined;
  const machine = createMachine({
    made: configurationOf(descriptionOf(storm)),
    eventsPerDigest: EVENTS_PER_DIGEST,
    engine: erraticEngine,
    kvm: (processor, host) => createKvm(processor, host, BASELINE_FEATURES),
    vmm(given, _host, origin) {
      wakes = given.calledBy(origin);
      held = created(given, origin, storm);
      return {
        ...IDLE_MONITOR,
        service(vcpu, from) {
          visits += 1;
          visit({ ...(held as Omit<Held, 'kvm' | 'draw'>), kvm: given.calledBy(from), draw }, vcpu);
        },
      };
    },
    chance: CHANCE,
    inputs: { peek: () => undefined, take: () => undefined },
    seed: storm.seed,
    wallClockAtPowerOn: 1_700_000_000_000_000_000n,
    onEvent,
  });
  const { vcpus } = held as unknown as Held;
  while (visits < storm.visits) {
    const before = visits;
    machine.advance({ tick: machine.ticks + TICKS_AT_ONCE, ns: machine.now() + NS_AT_ONCE });
    if (visits > before) continue;
    // Perhaps all wait: somebody makes one run again.
    wakes?.ioctl(draw.of(vcpus), io.KVM_SET_MP_STATE, { mpState: 0 });
    wakes?.ioctl(draw.of(vcpus), io.KVM_NMI);
  }
  return machine;
}

/** The same, recorded: the trace can be folded, though no machine of ours runs it again. */
export function recordCalls(storm: CallStorm, trace: string): Machine {
  const subject = { engineVersion: NODE.version, machine: descriptionOf(storm), images: [], seed: storm.seed };
  const recording = startRecording(NODE, { path: trace }, subject);
  recording.begin();
  const machine = stormOfCalls(storm, (stamped) => recording.next(stamped));
  recording.close();
  return machine;
}
