import type { Ns } from '../../base/units.ts';
import type { Effects } from '../device.ts';
import { TICK, TIMERS, TN } from './registers.ts';
import {
  ALL_ONES,
  type HpetState,
  type HpetTimer,
  interrupts,
  isEnabled,
  isLegacy,
  isLevel,
  isMode32,
  isPeriodic,
} from './state.ts';

const LOW = 0xffff_ffffn;
const RTC_IRQ = 8;

/** A comparator's two deadlines, of which one is armed at a time. */
interface Deadlines {
  /** The next match. */
  readonly match: string;
  /** The wrap of the 32-bit counter, where that comes before the next match. */
  readonly wrap: string;
}

const DEADLINES: readonly Deadlines[] = Array.from({ length: TIMERS }, (_, index) => ({
  match: `timer${index}`,
  wrap: `wrap${index}`,
}));

/** Names of all deadlines, in the order of their comparators. */
export const TIMER_NAMES: readonly string[] = DEADLINES.flatMap(({ match, wrap }) => [match, wrap]);

/** The main counter now. */
export function counterOf(hpet: HpetState, now: Ns): bigint {
  if (!isEnabled(hpet)) return hpet.counter;
  return (hpet.counter + BigInt(Math.floor((now - hpet.since) / TICK))) & ALL_ONES;
}

/** Set the deadline of a timer's next match, counted from the comparator. */
export function armTimer(hpet: HpetState, index: number, effects: Effects): void {
  const timer = hpet.timers[index]!;
  const { match, wrap } = DEADLINES[index]!;
  const counter = counterOf(hpet, effects.now);
  const ticks = ticksToMatch(timer, counter);
  const toWrap = LOW - (counter & LOW);
  // A 32-bit one-shot also interrupts when the counter wraps. Specification, 2.3.9.2.1.
  const wraps = isMode32(timer) && !isPeriodic(timer) && toWrap < ticks;
  effects.cancel(wraps ? match : wrap);
  armIn(wraps ? wrap : match, wraps ? toWrap : ticks, effects);
}

/** No further match, and the interrupt withdrawn. */
export function disarmTimer(hpet: HpetState, index: number, effects: Effects): void {
  cancelTimer(index, effects);
  effects.pin(lineOf(hpet, index), false);
}

/** No further match. */
export function cancelTimer(index: number, effects: Effects): void {
  const { match, wrap } = DEADLINES[index]!;
  effects.cancel(match);
  effects.cancel(wrap);
}

/** A timer's match, or the counter's wrap before it: the next period, then the interrupt. */
export function expireHpet(hpet: HpetState, name: string, effects: Effects): void {
  const index = DEADLINES.findIndex(({ match, wrap }) => name === match || name === wrap);
  const timer = hpet.timers[index]!;
  const { match, wrap } = DEADLINES[index]!;
  const counter = counterOf(hpet, effects.now);
  const recurs = isPeriodic(timer) && timer.period !== 0n;
  effects.raise({
    kind: 'sim:hpet_match',
    timer: index,
    comparator: recurs ? advanced(timer, counter) : timer.comparator,
  });
  // A one-shot that was made periodic while it waited for the wrap goes on under that name until it is set anew.
  if (recurs) armIn(name, ticksToMatch(timer, counter), effects);
  else if (name === wrap && isMode32(timer) && !isPeriodic(timer)) armIn(match, ticksToMatch(timer, counter), effects);
  driveMatch(hpet, index, effects);
}

/** The line a timer is routed to. */
export function lineOf(hpet: HpetState, index: number): string {
  if (index <= 1 && isLegacy(hpet)) return index === 0 ? 'gsi0' : `gsi${RTC_IRQ}`;
  return `gsi${(hpet.timers[index]!.configuration & TN.routeMask) >> TN.routeShift}`;
}

/** Edge-triggered timers give a pulse. */
function driveMatch(hpet: HpetState, index: number, effects: Effects): void {
  const timer = hpet.timers[index]!;
  const line = lineOf(hpet, index);
  const reaches = interrupts(hpet, timer);
  if (reaches) effects.pin(line, true);
  if (!reaches || !isLevel(timer)) effects.pin(line, false);
}

/** A match more than a hundred days away is none. */
function armIn(name: string, ticks: bigint, effects: Effects): void {
  const due = effects.now + Number(ticks) * TICK;
  if (due > Number.MAX_SAFE_INTEGER) effects.cancel(name);
  else effects.arm(name, due);
}

/** Ticks until the comparator is reached; one that was passed matches at the next tick. */
function ticksToMatch(timer: HpetTimer, counter: bigint): bigint {
  const bits = isMode32(timer) ? 32 : 64;
  const ticks = BigInt.asIntN(bits, timer.comparator - counter);
  return ticks > 0n ? ticks : 1n;
}

/** A periodic comparator moved past the counter, in one step however many periods were missed. */
function advanced(timer: HpetTimer, counter: bigint): bigint {
  const bits = isMode32(timer) ? 32 : 64;
  const behind = BigInt.asIntN(bits, counter - timer.comparator);
  if (behind < 0n) return timer.comparator;
  const periods = behind / timer.period + 1n;
  return BigInt.asUintN(bits, timer.comparator + periods * timer.period);
}
