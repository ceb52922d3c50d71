import { type Effects, UNARMED } from '../device.ts';
import { CONFIGURATION, TICK, TN } from './registers.ts';
import type { HpetState, HpetTimer } from './state.ts';

const LOW = 0xffff_ffffn;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const RTC_IRQ = 8;

/** The main counter now. */
export function counterOf(hpet: HpetState, now: number): bigint {
  if (!isEnabled(hpet)) return hpet.counter;
  return (hpet.counter + BigInt(Math.floor((now - hpet.since) / TICK))) & ALL_ONES;
}

/** Whether the counter runs and timers may interrupt. */
export const isEnabled = (hpet: HpetState): boolean => (hpet.configuration & CONFIGURATION.enable) !== 0;

/** Whether timers 0 and 1 replace the PIT and the RTC. */
export const isLegacy = (hpet: HpetState): boolean => (hpet.configuration & CONFIGURATION.legacyReplacement) !== 0;

/** Set the deadline of a timer's next match, counted from the comparator. */
export function armTimer(hpet: HpetState, timer: HpetTimer, now: number): void {
  timer.wraps = false;
  const counter = counterOf(hpet, now);
  let ticks = ticksToMatch(timer, counter);
  // A 32-bit one-shot also interrupts when the counter wraps. Specification, 2.3.9.2.1.
  if (isMode32(timer) && !isPeriodic(timer)) {
    const toWrap = LOW - (counter & LOW);
    if (toWrap < ticks) {
      ticks = toWrap;
      timer.wraps = true;
    }
  }
  timer.due = dueIn(now, ticks);
}

/** No further match, and the interrupt withdrawn. */
export function disarmTimer(hpet: HpetState, index: number, effects: Effects): void {
  hpet.timers[index]!.due = UNARMED;
  driveTimer(hpet, index, false, effects);
}

/** A timer's match: the next period, then the interrupt. */
export function matchTimer(hpet: HpetState, index: number, effects: Effects): void {
  const timer = hpet.timers[index]!;
  const counter = counterOf(hpet, effects.now);
  timer.due = UNARMED;
  if (isPeriodic(timer) && timer.period !== 0n) {
    advance(timer, counter);
    timer.due = dueIn(effects.now, ticksToMatch(timer, counter));
  } else if (timer.wraps && isMode32(timer) && !isPeriodic(timer)) {
    timer.due = dueIn(effects.now, ticksToMatch(timer, counter));
    timer.wraps = false;
  }
  driveTimer(hpet, index, true, effects);
}

/** Drive the line a timer is routed to; edge-triggered timers give a pulse. */
export function driveTimer(hpet: HpetState, index: number, matched: boolean, effects: Effects): void {
  const timer = hpet.timers[index]!;
  const bit = 1 << index;
  const line = `gsi${routeOf(hpet, index)}`;
  if (!matched || (timer.configuration & TN.enable) === 0 || !isEnabled(hpet)) {
    hpet.status &= ~bit;
    effects.pin(line, false);
  } else if (timer.configuration & TN.level) {
    hpet.status |= bit;
    effects.pin(line, true);
  } else {
    hpet.status &= ~bit;
    effects.pin(line, true);
    effects.pin(line, false);
  }
}

/** Whether comparator and counter are compared as 32 bits. */
export const isMode32 = (timer: HpetTimer): boolean => (timer.configuration & TN.mode32) !== 0;

/** Whether the comparator moves on by itself. */
export const isPeriodic = (timer: HpetTimer): boolean => (timer.configuration & TN.periodic) !== 0;

function routeOf(hpet: HpetState, index: number): number {
  if (index <= 1 && isLegacy(hpet)) return index === 0 ? 0 : RTC_IRQ;
  return (hpet.timers[index]!.configuration & TN.routeMask) >> TN.routeShift;
}

/** A match more than a hundred days away is none. */
function dueIn(now: number, ticks: bigint): number {
  const due = now + Number(ticks) * TICK;
  return due > Number.MAX_SAFE_INTEGER ? UNARMED : due;
}

/** Ticks until the comparator is reached; one that was passed matches at the next tick. */
function ticksToMatch(timer: HpetTimer, counter: bigint): bigint {
  const bits = isMode32(timer) ? 32 : 64;
  const ticks = BigInt.asIntN(bits, timer.comparator - counter);
  return ticks > 0n ? ticks : 1n;
}

/** Move a periodic comparator past the counter, in one step however many periods were missed. */
function advance(timer: HpetTimer, counter: bigint): void {
  const bits = isMode32(timer) ? 32 : 64;
  const behind = BigInt.asIntN(bits, counter - timer.comparator);
  if (behind < 0n) return;
  const periods = behind / timer.period + 1n;
  timer.comparator = BigInt.asUintN(bits, timer.comparator + periods * timer.period);
}
