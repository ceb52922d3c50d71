import type { Ns } from '../../base/units.ts';
import type { Effects } from '../device.ts';
import { expirePeriodic, PERIODIC, periodOf, schedulePeriodic } from './periodic.ts';
import { A, B, C, isIndexPort, REGISTER } from './registers.ts';
import { isAlarm, isDivided, isDividerReset, isRunning, isTime, type RtcState, selectedRegister } from './state.ts';
import { nanosecondOf, shownSeconds } from './time.ts';
import { expireUpdate, refreshTime, scheduleUpdate, showTime, UPDATE, updateInProgress } from './update.ts';

const NANOSECONDS = 1_000_000_000;

/** The clock has the time of power-on, and a second begins. */
export function powerOnRtc(_rtc: RtcState, effects: Effects): void {
  effects.arm(UPDATE, NANOSECONDS);
}

/** Read port 0x70 (write-only: all ones) or 0x71. */
export function readRtc(rtc: RtcState, offset: number, effects: Effects): number {
  if (isIndexPort(offset)) return 0xff;
  const register = selectedRegister(rtc);
  if (register === REGISTER.c) return readFlags(rtc, effects);
  if (register !== rtc.index) effects.commit();
  if (register === REGISTER.a) {
    const isUpdating = updateInProgress(rtc, effects);
    return rtc.cmos[REGISTER.a]! | (isUpdating ? A.updateInProgress : 0);
  }
  if (isTime(register) && isRunning(rtc)) refreshTime(rtc, effects);
  return rtc.cmos[register]!;
}

/** Write the index (port 0x70) or the byte it names (port 0x71). */
export function writeRtc(rtc: RtcState, offset: number, value: number, effects: Effects): void {
  const register = selectedRegister(rtc);
  if (isIndexPort(offset)) effects.commit();
  else if (register === REGISTER.a) writeA(rtc, value, effects);
  else if (register === REGISTER.b) writeB(rtc, value, effects);
  else writeByte(rtc, register, effects);
}

/** The periodic or the update cycle is due. */
export function expireRtc(rtc: RtcState, timer: string, effects: Effects, deadline: Ns): void {
  if (timer === PERIODIC) expirePeriodic(rtc, deadline, effects);
  else expireUpdate(rtc, effects);
}

/** System reset: interrupts off, time and RAM stay. Data sheet, RESET. */
export function resetRtc(rtc: RtcState, effects: Effects): void {
  effects.commit();
  effects.cancel(PERIODIC);
  scheduleUpdate(rtc, effects);
  effects.pin('irq', false);
}

/** Writing a part of the time makes the clock count on from what the registers show then. */
function writeByte(rtc: RtcState, register: number, effects: Effects): void {
  effects.commit();
  const sets = isTime(register) && isRunning(rtc);
  if (sets) setTime(shownSeconds(rtc), rtc.phase, effects);
  if (sets || isAlarm(register)) scheduleUpdate(rtc, effects);
}

/** Holding the divider chain in reset stops the clock; half a second after its release it ticks. */
function writeA(rtc: RtcState, value: number, effects: Effects): void {
  const old = rtc.cmos[REGISTER.a]!;
  const oldPeriod = periodOf(rtc);
  const ran = isRunning(rtc);
  effects.commit();
  if (isDividerReset(value)) {
    if (ran) refreshTime(rtc, effects);
  } else if (isDividerReset(old) && isRunning(rtc)) setTime(shownSeconds(rtc), NANOSECONDS / 2, effects);
  if ((old ^ value) & A.rate) schedulePeriodic(rtc, oldPeriod, effects);
  scheduleUpdate(rtc, effects);
}

/** Setting SET freezes what the registers show in the old format; clearing it counts on from there. */
function writeB(rtc: RtcState, value: number, effects: Effects): void {
  const old = rtc.cmos[REGISTER.b]!;
  const oldPeriod = periodOf(rtc);
  const ran = isRunning(rtc);
  const shown = shownSeconds(rtc);
  effects.commit();
  if (value & B.set) {
    if (ran) showTime(rtc, old, effects);
  } else if (old & B.set && isDivided(rtc.cmos[REGISTER.a]!)) setTime(shown, nanosecondOf(rtc, effects.now), effects);
  effects.pin('irq', (rtc.cmos[REGISTER.c]! & C.request) !== 0);
  if ((old ^ value) & B.periodic) schedulePeriodic(rtc, oldPeriod, effects);
  scheduleUpdate(rtc, effects);
}

/** Count on from a time, `phase` nanoseconds into its second. */
function setTime(seconds: number, phase: number, effects: Effects): void {
  effects.raise({ kind: 'sim:rtc_set', base_seconds: seconds, set_at: effects.now, phase });
}

/** Reading register C acknowledges what it shows. */
function readFlags(rtc: RtcState, effects: Effects): number {
  const flags = rtc.cmos[REGISTER.c]!;
  if (flags !== 0) effects.commit();
  effects.pin('irq', false);
  if (flags & (C.updateEnded | C.alarm)) scheduleUpdate(rtc, effects);
  return flags;
}
