/** What facts do to the 8254. */
import type { Draft } from '../../base/draft.ts';
import type { Ns } from '../../base/units.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { HPET_LEGACY, MSB, NO_MODE, PIT_TIMER, runOf, SPEAKER_DATA_ON, WORD_LSB, WORD_MSB } from '../irqchip/pit.ts';
import type { IrqchipState, PitChannel, PitState } from '../irqchip/state.ts';
import type { KvmState } from '../state.ts';
import { unpackPit } from '../ioctl/structs.ts';

type Pit = Draft<PitState>;
type Channel = Draft<PitChannel>;

/** The GSI the PIT drives. */
const PIT_GSI = 0;

const pitOf = (kvm: Draft<KvmState>): Pit => kvm.vm!.irqchip!.pit!;

const newChannel = (index: number): PitChannel => ({
  count: 0x10000,
  latchedCount: 0,
  countLatched: 0,
  statusLatched: 0,
  status: 0,
  readState: 0,
  writeState: 0,
  writeLatch: 0,
  rwMode: 0,
  mode: NO_MODE,
  bcd: 0,
  gate: index === 2 ? 0 : 1,
  countLoadTime: 0,
});

/** KVM_CREATE_PIT2: a reset PIT with reinjection on. */
export function created(kvm: Draft<KvmState>, { flags, ns }: EventOf<'ioctl:KVM_CREATE_PIT2'>): void {
  const SPEAKER_DUMMY = 1;
  kvm.vm!.irqchip!.pit = {
    channels: [0, 1, 2].map((index) => ({ ...newChannel(index), countLoadTime: index === 0 ? 0 : ns })),
    flags: 0,
    speaker: (flags & SPEAKER_DUMMY) !== 0,
    period: 0,
    periodic: false,
    expires: 0,
    reinject: true,
    pending: 0,
    irqAck: true,
  };
}

/** sim:pit_write: modes and latches; a count that is complete comes as sim:pit_load. */
export function written(kvm: Draft<KvmState>, { port, val }: EventOf<'sim:pit_write'>): void {
  const { channels } = pitOf(kvm);
  if (port === 0x43) {
    const access = (val >> 4) & 3;
    if (val >> 6 !== 3 && access !== 0) programCounter(channels[val >> 6]!, access, val);
    return;
  }
  const c = channels[port - 0x40]!;
  if (c.writeState === WORD_LSB) {
    c.writeLatch = val;
    c.writeState = WORD_MSB;
  } else if (c.writeState === WORD_MSB) c.writeState = WORD_LSB;
}

function programCounter(c: Channel, access: number, value: number): void {
  c.rwMode = access;
  c.readState = access;
  c.writeState = access;
  const mode = (value >> 1) & 7;
  c.mode = mode > 5 ? mode - 4 : mode;
  c.bcd = value & 1;
}

/** sim:pit_load. */
export function loaded(kvm: Draft<KvmState>, { channel, count, ns }: EventOf<'sim:pit_load'>): void {
  const pit = pitOf(kvm);
  load(pit, channel, count, ns);
}

function load(pit: Pit, channel: number, count: number, ns: Ns): void {
  const c = pit.channels[channel]!;
  c.count = count;
  if (channel !== 0) {
    c.countLoadTime = ns;
    return;
  }
  const run = runOf(pit, count);
  if (run === undefined || run === false) return;
  pit.period = run.period;
  pit.periodic = run.periodic;
  forgetMissed(pit);
}

/** Missed ticks are not made up for: the guest reprogrammed the counter or unmasked its interrupt. */
function forgetMissed(pit: Pit): void {
  pit.pending = 0;
  pit.irqAck = true;
}

/** A pin was unmasked: if it is the PIT's, its missed ticks are forgotten. */
export function resetReinject(chip: Draft<IrqchipState>, irqchip: number, pin: number): void {
  const { pit } = chip;
  if (pit?.reinject === true && chip.routing.pinGsi[irqchip]![pin] === PIT_GSI) forgetMissed(pit);
}

/** kvm_ack_irq of the PIT's pin. */
export function acknowledged(chip: Draft<IrqchipState>, irqchip: number, pin: number): void {
  const { pit } = chip;
  if (pit?.reinject !== true || chip.routing.pinGsi[irqchip]![pin] !== PIT_GSI) return;
  pit.irqAck = true;
  if (pit.pending > 0) pit.pending -= 1;
}

/** sim:pit_latch. */
export function latched(kvm: Draft<KvmState>, { channel, count, status }: EventOf<'sim:pit_latch'>): void {
  const c = pitOf(kvm).channels[channel]!;
  if (count >= 0) {
    c.latchedCount = count;
    c.countLatched = c.rwMode;
  }
  if (status < 0) return;
  c.status = status;
  c.statusLatched = 1;
}

/** sim:pit_read. */
export function read(kvm: Draft<KvmState>, { port }: EventOf<'sim:pit_read'>): void {
  const c = pitOf(kvm).channels[port - 0x40]!;
  if (c.statusLatched !== 0) c.statusLatched = 0;
  else if (c.countLatched !== 0) c.countLatched = c.countLatched === WORD_LSB ? MSB : 0;
  else if (c.readState === WORD_LSB) c.readState = WORD_MSB;
  else if (c.readState === WORD_MSB) c.readState = WORD_LSB;
}

/** sim:pit_speaker. */
export function speakerWritten(kvm: Draft<KvmState>, { val, ns }: EventOf<'sim:pit_speaker'>): void {
  const pit = pitOf(kvm);
  pit.flags = (val & 2) !== 0 ? pit.flags | SPEAKER_DATA_ON : pit.flags & ~SPEAKER_DATA_ON;
  const c = pit.channels[2]!;
  const gate = val & 1;
  const restarts = c.mode === 1 || c.mode === 2 || c.mode === 3 || c.mode === 5;
  if (restarts && c.gate < gate) c.countLoadTime = ns;
  c.gate = gate;
}

/** The counter's timer was armed. */
export function armed(kvm: Draft<KvmState>, id: string, deadline: Ns): void {
  if (id === PIT_TIMER) pitOf(kvm).expires = deadline;
}

/** The counter's timer or the delivery of missed ticks fired: nothing more is delivered until it is acknowledged. */
export function fired(kvm: Draft<KvmState>, id: string): void {
  const pit = pitOf(kvm);
  if (!pit.reinject) return;
  if (id === PIT_TIMER) pit.pending += 1;
  pit.irqAck = false;
}

/** KVM_REINJECT_CONTROL. */
export function reinjectSet(kvm: Draft<KvmState>, event: EventOf<'ioctl:KVM_REINJECT_CONTROL'>): void {
  const pit = pitOf(kvm);
  if (pit.reinject === event.pit_reinject) return;
  if (event.pit_reinject) forgetMissed(pit);
  pit.reinject = event.pit_reinject;
}

/** KVM_SET_PIT2. */
export function restored(kvm: Draft<KvmState>, { state, ns }: EventOf<'ioctl:KVM_SET_PIT2'>): void {
  const pit = pitOf(kvm);
  const { channels, flags } = unpackPit(state);
  const takesOver = (pit.flags & HPET_LEGACY) === 0 && (flags & HPET_LEGACY) !== 0;
  pit.channels = channels;
  pit.flags = flags;
  for (let channel = 0; channel < 3; channel += 1) {
    const count = channels[channel]!.count === 0 ? 0x10000 : channels[channel]!.count;
    // Whom the HPET replaces counts no more: as if it had no mode.
    if (channel === 0 && takesOver) pit.channels[0]!.count = count;
    else load(pit, channel, count, ns);
  }
}
