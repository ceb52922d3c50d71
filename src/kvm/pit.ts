/**
 * The 8254 interval timer of KVM (KVM_CREATE_PIT2) and the speaker gate at port 61h.
 * Intel 8254 data sheet; where KVM is simpler than the chip, KVM is followed.
 */

const PIT_HZ = 1193182;
const NS_PER_SECOND = 1_000_000_000;
/** KVM's min_timer_period_us: shorter periods are stretched. */
const MIN_PERIOD_NS = 200_000;

/** Read/write states of a counter port besides 1, LSB only: MSB only, LSB of two, MSB of two. */
const MSB = 2;
const WORD_LSB = 3;
const WORD_MSB = 4;

/** Counter whose mode nobody has programmed. */
const NO_MODE = 0xff;

/** KVM_PIT_FLAGS_*: the HPET drives IRQ 0; the speaker's data bit. */
const HPET_LEGACY = 1;
const SPEAKER_DATA_ON = 2;

/** struct kvm_pit_channel_state. */
export interface PitChannel {
  /** 1..65536. */
  count: number;
  latchedCount: number;
  countLatched: number;
  statusLatched: number;
  status: number;
  readState: number;
  writeState: number;
  writeLatch: number;
  rwMode: number;
  mode: number;
  bcd: number;
  gate: number;
  /** Virtual nanosecond. */
  countLoadTime: number;
}

/** All of the PIT. Channel 0's time lives in its timer, as in KVM. */
export interface PitState {
  channels: PitChannel[];
  flags: number;
  /** Port 61h is ours (KVM_PIT_SPEAKER_DUMMY). */
  speaker: boolean;
  period: number;
  periodic: boolean;
  /** When the timer expires or last expired. */
  expires: number;
  armed: boolean;
  /** Ticks the guest missed are delivered after its EOI. */
  reinject: boolean;
  pending: number;
  irqAck: boolean;
  /** When the delivery work runs; undefined: not queued. */
  workAt: number | undefined;
}

/** KVM_CREATE_PIT2: a reset PIT with reinjection on. */
export function createPit(speaker: boolean, now: number): PitState {
  const pit: PitState = {
    channels: [0, 1, 2].map(newChannel),
    flags: 0,
    speaker,
    period: 0,
    periodic: false,
    expires: 0,
    armed: false,
    reinject: true,
    pending: 0,
    irqAck: true,
    workAt: undefined,
  };
  for (let channel = 0; channel < 3; channel++) loadCount(pit, channel, 0, now);
  return pit;
}

function newChannel(index: number): PitChannel {
  return {
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
  };
}

/** Whole PIT clocks in a span of nanoseconds, exact for any span below 2^53. */
function clocks(ns: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return seconds * PIT_HZ + Math.floor(((ns - seconds * NS_PER_SECOND) * PIT_HZ) / NS_PER_SECOND);
}

function elapsedClocks(pit: PitState, channel: number, now: number): number {
  if (channel !== 0) return clocks(now - pit.channels[channel].countLoadTime);
  return pit.period === 0 ? 0 : clocks(Math.max(0, pit.period - (pit.expires - now)));
}

function currentCount(pit: PitState, channel: number, now: number): number {
  const c = pit.channels[channel];
  const elapsed = elapsedClocks(pit, channel, now);
  switch (c.mode) {
    case 0:
    case 1:
    case 4:
    case 5:
      return (c.count - elapsed) & 0xffff;
    case 3:
      return c.count - ((2 * elapsed) % c.count);
    default:
      return c.count - (elapsed % c.count);
  }
}

function outputPin(pit: PitState, channel: number, now: number): number {
  const c = pit.channels[channel];
  const elapsed = elapsedClocks(pit, channel, now);
  switch (c.mode) {
    case 1:
      return Number(elapsed < c.count);
    case 2:
      return Number(elapsed % c.count === 0 && elapsed !== 0);
    case 3:
      return Number(elapsed % c.count < (c.count + 1) >> 1);
    case 4:
    case 5:
      return Number(elapsed === c.count);
    default:
      return Number(elapsed >= c.count);
  }
}

/** Forget missed ticks: the guest reprogrammed the counter or unmasked its interrupt. */
export function resetPitReinject(pit: PitState): void {
  pit.pending = 0;
  pit.irqAck = true;
}

/** The guest acknowledged IRQ 0: the next missed tick may follow. */
export function ackPit(pit: PitState, now: number): void {
  pit.irqAck = true;
  if (pit.pending > 0 && --pit.pending > 0) pit.workAt ??= now;
}

/** KVM_REINJECT_CONTROL. */
export function setPitReinject(pit: PitState, reinject: boolean): void {
  if (pit.reinject === reinject) return;
  if (reinject) resetPitReinject(pit);
  pit.reinject = reinject;
}

function startTimer(pit: PitState, count: number, periodic: boolean, now: number): void {
  if ((pit.flags & HPET_LEGACY) !== 0) return;
  const interval = Math.floor((count * NS_PER_SECOND) / PIT_HZ);
  pit.workAt = undefined;
  pit.period = periodic ? Math.max(interval, MIN_PERIOD_NS) : interval;
  pit.periodic = periodic;
  resetPitReinject(pit);
  pit.expires = now + interval;
  pit.armed = true;
}

function loadCount(pit: PitState, channel: number, value: number, now: number): void {
  const c = pit.channels[channel];
  c.count = value === 0 ? 0x10000 : value;
  if (channel !== 0) {
    c.countLoadTime = now;
    return;
  }
  switch (c.mode) {
    case 0:
    case 1:
    case 4:
      startTimer(pit, c.count, false, now);
      return;
    case 2:
    case 3:
      startTimer(pit, c.count, true, now);
      return;
    default:
      pit.armed = false;
      pit.workAt = undefined;
  }
}

function latchCount(pit: PitState, channel: number, now: number): void {
  const c = pit.channels[channel];
  if (c.countLatched !== 0) return;
  c.latchedCount = currentCount(pit, channel, now) & 0xffff;
  c.countLatched = c.rwMode;
}

function latchStatus(pit: PitState, channel: number, now: number): void {
  const c = pit.channels[channel];
  if (c.statusLatched !== 0) return;
  c.status = ((outputPin(pit, channel, now) << 7) | (c.rwMode << 4) | (c.mode << 1) | c.bcd) & 0xff;
  c.statusLatched = 1;
}

function readBack(pit: PitState, value: number, now: number): void {
  for (let channel = 0; channel < 3; channel++) {
    if ((value & (2 << channel)) === 0) continue;
    if ((value & 0x20) === 0) latchCount(pit, channel, now);
    if ((value & 0x10) === 0) latchStatus(pit, channel, now);
  }
}

function writeControl(pit: PitState, value: number, now: number): void {
  const channel = value >> 6;
  const access = (value >> 4) & 3;
  if (channel === 3) readBack(pit, value, now);
  else if (access === 0) latchCount(pit, channel, now);
  else programCounter(pit.channels[channel], access, value);
}

function programCounter(c: PitChannel, access: number, value: number): void {
  c.rwMode = access;
  c.readState = access;
  c.writeState = access;
  const mode = (value >> 1) & 7;
  c.mode = mode > 5 ? mode - 4 : mode;
  c.bcd = value & 1;
}

/** A write to port 40h + `offset`. */
export function pitWrite(pit: PitState, offset: number, data: number, now: number): void {
  const value = data & 0xff;
  if (offset === 3) writeControl(pit, value, now);
  else writeCount(pit, offset, value, now);
}

function writeCount(pit: PitState, offset: number, value: number, now: number): void {
  const c = pit.channels[offset];
  switch (c.writeState) {
    case MSB:
      loadCount(pit, offset, value << 8, now);
      return;
    case WORD_LSB:
      c.writeLatch = value;
      c.writeState = WORD_MSB;
      return;
    case WORD_MSB:
      loadCount(pit, offset, c.writeLatch | (value << 8), now);
      c.writeState = WORD_LSB;
      return;
    default:
      loadCount(pit, offset, value, now);
  }
}

function readLatched(c: PitChannel): number {
  const state = c.countLatched;
  c.countLatched = state === WORD_LSB ? MSB : 0;
  return state === MSB ? c.latchedCount >> 8 : c.latchedCount & 0xff;
}

/** A read of port 40h + `offset`. */
export function pitRead(pit: PitState, offset: number, now: number): number {
  if (offset === 3) return 0;
  const c = pit.channels[offset];
  if (c.statusLatched !== 0) {
    c.statusLatched = 0;
    return c.status;
  }
  if (c.countLatched !== 0) return readLatched(c);
  const count = currentCount(pit, offset, now);
  const high = c.readState === MSB || c.readState === WORD_MSB;
  if (c.readState === WORD_LSB) c.readState = WORD_MSB;
  else if (c.readState === WORD_MSB) c.readState = WORD_LSB;
  return high ? (count >> 8) & 0xff : count & 0xff;
}

/** A write to port 61h: bit 0 gates counter 2, bit 1 is the speaker's data. */
export function speakerWrite(pit: PitState, value: number, now: number): void {
  if ((value & 2) !== 0) pit.flags |= SPEAKER_DATA_ON;
  else pit.flags &= ~SPEAKER_DATA_ON;
  const c = pit.channels[2];
  const gate = value & 1;
  const restarts = c.mode === 1 || c.mode === 2 || c.mode === 3 || c.mode === 5;
  if (restarts && c.gate < gate) c.countLoadTime = now;
  c.gate = gate;
}

/** A read of port 61h: gate, data, the refresh clock (toggles every 2^14 ns) and counter 2's output. */
export function speakerRead(pit: PitState, now: number): number {
  const data = (pit.flags & SPEAKER_DATA_ON) !== 0 ? 2 : 0;
  const refresh = Math.floor(now / 16384) & 1;
  return data | pit.channels[2].gate | (outputPin(pit, 2, now) << 5) | (refresh << 4);
}

/** Virtual nanosecond at which `expirePit` must be called. */
export function pitDeadline(pit: PitState): number | undefined {
  if (pit.workAt !== undefined) return pit.workAt;
  return pit.armed ? pit.expires : undefined;
}

/** Expire channel 0's timer and run the delivery work. Returns whether IRQ 0 must now pulse. */
export function expirePit(pit: PitState, now: number): boolean {
  let work = pit.workAt !== undefined && pit.workAt <= now;
  pit.workAt = undefined;
  while (pit.armed && pit.expires <= now) {
    if (pit.reinject) pit.pending++;
    work = true;
    if (pit.periodic) pit.expires += pit.period;
    else pit.armed = false;
  }
  if (!work) return false;
  if (!pit.reinject) return true;
  const acked = pit.irqAck;
  pit.irqAck = false;
  return acked;
}

/** struct kvm_pit_state2. */
export interface PitBlob {
  channels: PitChannel[];
  flags: number;
}

/** KVM_GET_PIT2. */
export function getPit2(pit: PitState): PitBlob {
  return { channels: pit.channels.map((c) => ({ ...c })), flags: pit.flags };
}

/** KVM_SET_PIT2: counters start anew from the given counts. */
export function setPit2(pit: PitState, blob: PitBlob, now: number): void {
  const hpetTakesOver = (pit.flags & HPET_LEGACY) === 0 && (blob.flags & HPET_LEGACY) !== 0;
  pit.channels = blob.channels.map((c) => ({ ...c }));
  pit.flags = blob.flags;
  for (let channel = 0; channel < 3; channel++) {
    const c = pit.channels[channel];
    const mode = c.mode;
    if (hpetTakesOver && channel === 0) c.mode = NO_MODE;
    loadCount(pit, channel, c.count, now);
    c.mode = mode;
  }
}
