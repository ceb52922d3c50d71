/**
 * The 8254 interval timer of KVM (KVM_CREATE_PIT2) and the speaker gate at port 61h.
 * Intel 8254 data sheet; where KVM is simpler than the chip, KVM is followed.
 */
import type { PitChannel, PitState } from './state.ts';
import type { Ns } from '../../base/units.ts';
import { armTimer, cancelTimer, fireTimer, isDue } from '../../events/timers.ts';
import { chipOf, type KvmContext } from '../context.ts';
import { packPit, type PitRegisters } from '../ioctl/structs.ts';

const PIT_HZ = 1193182;
const NS_PER_SECOND = 1_000_000_000;
/** KVM's min_timer_period_us: shorter periods are stretched. */
const MIN_PERIOD_NS = 200_000;

/** Read/write states of a counter port besides 1, LSB only: MSB only, LSB of two, MSB of two. */
export const MSB = 2;
export const WORD_LSB = 3;
export const WORD_MSB = 4;

/** Counter whose mode nobody has programmed. */
export const NO_MODE = 0xff;

/** KVM_PIT_FLAGS_*: the HPET drives IRQ 0; the speaker's data bit. */
export const HPET_LEGACY = 1;
export const SPEAKER_DATA_ON = 2;

/** Channel 0's counter, and the delivery of what it missed. */
export const PIT_TIMER = 'kvm-pit';
const PIT_WORK = 'kvm-pit-work';

/** Whether a timer is the counter's or the delivery of missed ticks. */
export const isPitTimer = (id: string): boolean => id === PIT_TIMER || id === PIT_WORK;

/** How channel 0's timer runs for a count: not at all in modes without one. */
export interface PitRun {
  readonly interval: number;
  readonly period: number;
  readonly periodic: boolean;
}

/** What loading channel 0 starts: undefined leaves the timer as it is, false stops it. */
export function runOf(pit: PitState, count: number): PitRun | false | undefined {
  const { mode } = pit.channels[0]!;
  const periodic = mode === 2 || mode === 3;
  if (!periodic && mode !== 0 && mode !== 1 && mode !== 4) return false;
  if ((pit.flags & HPET_LEGACY) !== 0) return undefined;
  const interval = Math.floor((count * NS_PER_SECOND) / PIT_HZ);
  return { interval, period: periodic ? Math.max(interval, MIN_PERIOD_NS) : interval, periodic };
}

/** Whole PIT clocks in a span of nanoseconds, exact for any span below 2^53. */
function clocks(ns: Ns): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return seconds * PIT_HZ + Math.floor(((ns - seconds * NS_PER_SECOND) * PIT_HZ) / NS_PER_SECOND);
}

function elapsedClocks(pit: PitState, channel: number, now: Ns): number {
  if (channel !== 0) return clocks(now - pit.channels[channel]!.countLoadTime);
  return pit.period === 0 ? 0 : clocks(Math.max(0, pit.period - (pit.expires - now)));
}

function currentCount(pit: PitState, channel: number, now: Ns): number {
  const c = pit.channels[channel]!;
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

function outputPin(pit: PitState, channel: number, now: Ns): number {
  const c = pit.channels[channel]!;
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

/** The PIT of a VM that has one. */
const pitOf = (kvm: KvmContext): PitState => chipOf(kvm).pit!;

/** The guest acknowledged IRQ 0 when so many ticks were missed: what is left of them follows. */
export function deliverMissed(kvm: KvmContext, missed: number): void {
  if (missed > 1 && kvm.state.timers[PIT_WORK] === undefined) armTimer(kvm.origin, PIT_WORK, kvm.now());
}

/** A counter starts from a count; 0 is 65536. */
function loadCount(kvm: KvmContext, channel: number, value: number): void {
  const count = value === 0 ? 0x10000 : value;
  const run = channel === 0 ? runOf(pitOf(kvm), count) : undefined;
  const ns = kvm.now();
  kvm.raise({ kind: 'sim:pit_load', channel, count, ns });
  if (channel === 0) startTimer(kvm, run, ns);
}

/** pit_load_count and create_pit_timer: what missed ticks waited is forgotten with the old count. */
function startTimer(kvm: KvmContext, run: PitRun | false | undefined, ns: Ns): void {
  if (run === undefined) return;
  const { timers } = kvm.state;
  cancelTimer(timers, kvm.origin, PIT_WORK);
  if (run === false) cancelTimer(timers, kvm.origin, PIT_TIMER);
  else armTimer(kvm.origin, PIT_TIMER, ns + run.interval);
}

/** Latch what is asked for and not latched already. */
function latch(kvm: KvmContext, channel: number, wants: { readonly count: boolean; readonly status: boolean }): void {
  const pit = pitOf(kvm);
  const c = pit.channels[channel]!;
  const now = kvm.now();
  const count = wants.count && c.countLatched === 0 ? currentCount(pit, channel, now) & 0xffff : -1;
  const bits = (outputPin(pit, channel, now) << 7) | (c.rwMode << 4) | (c.mode << 1) | c.bcd;
  const status = wants.status && c.statusLatched === 0 ? bits & 0xff : -1;
  if (count >= 0 || status >= 0) kvm.raise({ kind: 'sim:pit_latch', channel, count, status });
}

function writeControl(kvm: KvmContext, value: number): void {
  const channel = value >> 6;
  if (channel === 3) {
    for (let each = 0; each < 3; each++) {
      if ((value & (2 << each)) === 0) continue;
      latch(kvm, each, { count: (value & 0x20) === 0, status: (value & 0x10) === 0 });
    }
  } else if (((value >> 4) & 3) === 0) latch(kvm, channel, { count: true, status: false });
}

/** The count a byte completes, or undefined while another is to come. */
function countOf(c: PitChannel, value: number): number | undefined {
  switch (c.writeState) {
    case MSB:
      return value << 8;
    case WORD_LSB:
      return undefined;
    case WORD_MSB:
      return c.writeLatch | (value << 8);
    default:
      return value;
  }
}

/** A write to port 40h + `offset`. */
export function pitWrite(kvm: KvmContext, offset: number, data: number): void {
  const value = data & 0xff;
  const count = offset === 3 ? undefined : countOf(pitOf(kvm).channels[offset]!, value);
  kvm.raise({ kind: 'sim:pit_write', port: 0x40 + offset, val: value });
  if (offset === 3) writeControl(kvm, value);
  else if (count !== undefined) loadCount(kvm, offset, count);
}

/** A read of port 40h + `offset`. */
export function pitRead(kvm: KvmContext, offset: number): number {
  if (offset === 3) return 0;
  const pit = pitOf(kvm);
  const c = pit.channels[offset]!;
  const value = readCounter(pit, offset, kvm.now());
  const alternates = c.readState === WORD_LSB || c.readState === WORD_MSB;
  if (c.statusLatched !== 0 || c.countLatched !== 0 || alternates) {
    kvm.raise({ kind: 'sim:pit_read', port: 0x40 + offset });
  }
  return value;
}

function readCounter(pit: PitState, channel: number, now: Ns): number {
  const c = pit.channels[channel]!;
  if (c.statusLatched !== 0) return c.status;
  if (c.countLatched !== 0) return c.countLatched === MSB ? c.latchedCount >> 8 : c.latchedCount & 0xff;
  const count = currentCount(pit, channel, now);
  const high = c.readState === MSB || c.readState === WORD_MSB;
  return high ? (count >> 8) & 0xff : count & 0xff;
}

/** A write to port 61h: bit 0 gates counter 2, bit 1 is the speaker's data. */
export function speakerWrite(kvm: KvmContext, value: number): void {
  kvm.raise({ kind: 'sim:pit_speaker', val: value & 0xff, ns: kvm.now() });
}

/** A read of port 61h: gate, data, the refresh clock (toggles every 2^14 ns) and counter 2's output. */
export function speakerRead(kvm: KvmContext): number {
  const pit = pitOf(kvm);
  const now = kvm.now();
  const data = (pit.flags & SPEAKER_DATA_ON) !== 0 ? 2 : 0;
  const refresh = Math.floor(now / 16384) & 1;
  return data | pit.channels[2]!.gate | (outputPin(pit, 2, now) << 5) | (refresh << 4);
}

/** Expire channel 0's timer and run the delivery work. Returns the KVM in whose name IRQ 0 must pulse, if it must. */
export function expirePit(kvm: KvmContext): KvmContext | undefined {
  const now = kvm.now();
  let pulse: KvmContext | undefined;
  let fired = false;
  for (const id of [PIT_WORK, PIT_TIMER]) {
    while (isDue(kvm.state.timers, id, now)) {
      const { reinject, irqAck } = pitOf(kvm);
      const { deadline } = kvm.state.timers[id]!;
      const after = kvm.from(fireTimer(kvm.state.timers, kvm.origin, id));
      if (!fired && (!reinject || irqAck)) pulse = after;
      fired = true;
      const { periodic, period } = pitOf(kvm);
      if (id === PIT_TIMER && periodic) armTimer(after.origin, id, deadline + period);
    }
  }
  return pulse;
}

/** KVM_GET_PIT2. */
export function getPit2(pit: PitState): PitRegisters {
  return { channels: pit.channels.map((c) => ({ ...c })), flags: pit.flags };
}

/** KVM_SET_PIT2: counters start anew from the given counts. */
export function setPit2(kvm: KvmContext, registers: PitRegisters): void {
  const before = pitOf(kvm);
  const takesOver = (before.flags & HPET_LEGACY) === 0 && (registers.flags & HPET_LEGACY) !== 0;
  const ns = kvm.now();
  const seq = kvm.raise({ kind: 'ioctl:KVM_SET_PIT2', state: packPit(registers), ns });
  const { count } = pitOf(kvm).channels[0]!;
  startTimer(kvm.after(seq), takesOver ? false : runOf(pitOf(kvm), count), ns);
}
