import type { Effects } from '../device.ts';
import { A, B, C, REGISTER, UPDATE_HOLD } from './registers.ts';
import { alarmInterrupts, isDividerReset, isRunning, type RtcState } from './state.ts';
import { isShown, nanosecondOf, secondsAt, secondsToAlarm } from './time.ts';

const NANOSECONDS = 1_000_000_000;

/** The next update cycle somebody can notice. */
export const UPDATE = 'update';

/** Bring the time registers up to date, unless software is setting them. */
export function refreshTime(rtc: RtcState, effects: Effects): void {
  const mode = rtc.cmos[REGISTER.b]!;
  if ((mode & B.set) === 0) showTime(rtc, mode, effects);
}

/** Let the registers show the time as of now, in the format of register B's value `mode`. */
export function showTime(rtc: RtcState, mode: number, effects: Effects): void {
  const seconds = secondsAt(rtc, effects.now);
  if (!isShown(rtc, seconds, mode)) effects.raise({ kind: 'sim:rtc_time', seconds, mode });
}

/** UIP, latched until the update that it announces has happened. */
export function updateInProgress(rtc: RtcState, effects: Effects): boolean {
  if (!isRunning(rtc)) return false;
  const due = effects.deadline(UPDATE);
  if (due !== undefined && effects.now >= due - UPDATE_HOLD) {
    if (!isLatched(rtc)) effects.raise({ kind: 'sim:rtc_uip' });
    return true;
  }
  return nanosecondOf(rtc, effects.now) >= NANOSECONDS - UPDATE_HOLD;
}

/** The next update cycle that changes something: the coming second, the alarm if UF is set already, or none. */
export function scheduleUpdate(rtc: RtcState, effects: Effects): void {
  if (isDividerReset(rtc.cmos[REGISTER.a]!)) {
    effects.cancel(UPDATE);
    return;
  }
  const nextSecond = effects.now + NANOSECONDS - nanosecondOf(rtc, effects.now);
  refreshTime(rtc, effects);
  const alarmAt = nextSecond + (secondsToAlarm(rtc) - 1) * NANOSECONDS;
  if (alarmAt !== rtc.alarmAt) effects.raise({ kind: 'sim:rtc_alarm', alarm_at: alarmAt });
  const due = nextUpdate(rtc, nextSecond);
  if (due === undefined) effects.cancel(UPDATE);
  else if (due !== effects.deadline(UPDATE)) effects.arm(UPDATE, due);
}

function nextUpdate(rtc: RtcState, nextSecond: number): number | undefined {
  const { cmos } = rtc;
  if (isLatched(rtc) || (cmos[REGISTER.c]! & C.updateEnded) === 0) return nextSecond;
  const isAlarmSilent = (cmos[REGISTER.b]! & B.set) !== 0 || (cmos[REGISTER.c]! & C.alarm) !== 0;
  return isAlarmSilent ? undefined : rtc.alarmAt;
}

/** An update cycle ends: the registers show the new second, and whoever waits for it hears of it. */
export function expireUpdate(rtc: RtcState, effects: Effects): void {
  refreshTime(rtc, effects);
  const alarm = effects.now >= rtc.alarmAt;
  const flags = C.updateEnded | (alarm ? C.alarm : 0);
  const risen = flags & ~rtc.cmos[REGISTER.c]!;
  effects.raise({ kind: 'sim:rtc_update_ended', alarm });
  if (alarm && alarmInterrupts(rtc)) effects.requestWakeup('rtc');
  if (risen & rtc.cmos[REGISTER.b]!) effects.pin('irq', true);
  scheduleUpdate(rtc, effects);
}

const isLatched = (rtc: RtcState): boolean => (rtc.cmos[REGISTER.a]! & A.updateInProgress) !== 0;
