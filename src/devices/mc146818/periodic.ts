import type { Effects } from '../device.ts';
import { A, B, REGISTER, TIME_BASE } from './registers.ts';
import type { RtcState } from './state.ts';

const NANOSECONDS = 1_000_000_000;

/** The periodic interrupt, while there is one. */
export const PERIODIC = 'periodic';

/** Period in ticks of the 32768 Hz time base, 0 when off. Data sheet, table 5. */
export function periodOf(rtc: RtcState): number {
  const rate = rtc.cmos[REGISTER.a]! & A.rate;
  if (rate === 0 || (rtc.cmos[REGISTER.b]! & B.periodic) === 0) return 0;
  return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
}

/** A change of the rate counts the ticks since the last interrupt, at most one period. */
export function schedulePeriodic(rtc: RtcState, oldPeriod: number, effects: Effects): void {
  const period = periodOf(rtc);
  const due = effects.deadline(PERIODIC);
  if (period === 0) {
    effects.cancel(PERIODIC);
    return;
  }
  const tick = ticksOf(effects.now);
  const last = oldPeriod === 0 || due === undefined ? tick : ticksOf(due) - oldPeriod;
  effects.arm(PERIODIC, timeOfTick(tick + period - Math.min(tick - last, period)) + 1);
}

/** The periodic interrupt comes: the next is a period after the time at which this one was due. */
export function expirePeriodic(rtc: RtcState, deadline: number, effects: Effects): void {
  const period = periodOf(rtc);
  if (period !== 0) effects.arm(PERIODIC, timeOfTick(ticksOf(deadline) + period) + 1);
  if (rtc.cmos[REGISTER.b]! & B.periodic) effects.pin('irq', true);
}

function ticksOf(nanoseconds: number): number {
  const seconds = Math.floor(nanoseconds / NANOSECONDS);
  const rest = nanoseconds - seconds * NANOSECONDS;
  return seconds * TIME_BASE + Math.floor((rest * TIME_BASE) / NANOSECONDS);
}

function timeOfTick(tick: number): number {
  const seconds = Math.floor(tick / TIME_BASE);
  return seconds * NANOSECONDS + Math.floor(((tick - seconds * TIME_BASE) * NANOSECONDS) / TIME_BASE);
}
