import { type Effects, UNARMED } from '../device.ts';
import { A, B, C, REGISTER, TIME_BASE, UPDATE_HOLD } from './registers.ts';
import type { RtcState } from './state.ts';
import { isRunning, nanosecondOf, refreshTime, secondsToAlarm, takeTime } from './time.ts';

const NANOSECONDS = 1_000_000_000;

/** Read port 0x70 (write-only: all ones) or 0x71. */
export function readRtc(rtc: RtcState, offset: number, effects: Effects): number {
  if (offset === 0) return 0xff;
  if (rtc.index === REGISTER.ps2Century) rtc.index = REGISTER.century;
  switch (rtc.index) {
    case REGISTER.a:
      return rtc.cmos[REGISTER.a]! | (updateInProgress(rtc, effects.now) ? A.updateInProgress : 0);
    case REGISTER.c:
      return readFlags(rtc, effects);
    default:
      if (isTime(rtc.index) && isRunning(rtc)) refreshTime(rtc, effects.now);
      return rtc.cmos[rtc.index]!;
  }
}

/** Write the index (port 0x70) or the byte it names (port 0x71). */
export function writeRtc(rtc: RtcState, offset: number, value: number, effects: Effects): void {
  if (offset === 0) {
    rtc.index = value & 0x7f;
    return;
  }
  if (rtc.index === REGISTER.ps2Century) rtc.index = REGISTER.century;
  switch (rtc.index) {
    case REGISTER.a:
      writeA(rtc, value, effects);
      break;
    case REGISTER.b:
      writeB(rtc, value, effects);
      break;
    case REGISTER.c:
    case REGISTER.d:
      break;
    default:
      writeByte(rtc, value, effects.now);
  }
}

/** The periodic or the update cycle is due. */
export function expireRtc(rtc: RtcState, effects: Effects): void {
  if (rtc.periodicDue !== UNARMED && rtc.periodicDue <= effects.now) expirePeriodic(rtc, effects);
  if (rtc.updateDue !== UNARMED && rtc.updateDue <= effects.now) expireUpdate(rtc, effects);
}

/** System reset: interrupts off, time and RAM stay. Data sheet, RESET. */
export function resetRtc(rtc: RtcState, effects: Effects): void {
  const S3_RESUME = 0xfe;
  if (rtc.cmos[REGISTER.shutdownStatus] !== S3_RESUME) rtc.cmos[REGISTER.shutdownStatus] = 0;
  rtc.cmos[REGISTER.b]! &= ~(B.periodic | B.alarm | B.squareWave);
  rtc.cmos[REGISTER.c]! &= ~(C.any | C.request);
  rtc.periodicDue = UNARMED;
  scheduleUpdate(rtc, effects.now);
  effects.pin('irq', false);
}

/** Earliest of the two cycles. */
export function rtcDeadline(rtc: RtcState): number | undefined {
  const { periodicDue, updateDue } = rtc;
  if (periodicDue === UNARMED) return updateDue === UNARMED ? undefined : updateDue;
  return updateDue === UNARMED ? periodicDue : Math.min(periodicDue, updateDue);
}

function isTime(index: number): boolean {
  if (index === REGISTER.century) return true;
  return index <= REGISTER.year && index !== REGISTER.secondsAlarm && !isAlarm(index);
}

function isAlarm(index: number): boolean {
  return index === REGISTER.secondsAlarm || index === REGISTER.minutesAlarm || index === REGISTER.hoursAlarm;
}

function writeByte(rtc: RtcState, value: number, now: number): void {
  rtc.cmos[rtc.index] = value;
  if (isAlarm(rtc.index)) {
    scheduleUpdate(rtc, now);
  } else if (isTime(rtc.index) && isRunning(rtc)) {
    takeTime(rtc, now);
    scheduleUpdate(rtc, now);
  }
}

/** Holding the divider chain in reset stops the clock; half a second after its release it ticks. */
function writeA(rtc: RtcState, value: number, effects: Effects): void {
  const { cmos } = rtc;
  const old = cmos[REGISTER.a]!;
  const oldPeriod = periodOf(rtc);
  let updating = old & A.updateInProgress;
  if ((value & A.dividerReset) === A.dividerReset) {
    if (isRunning(rtc)) refreshTime(rtc, effects.now);
    updating = 0;
  } else if ((old & A.dividerReset) === A.dividerReset && (value & A.divider) <= 0x20) {
    if ((cmos[REGISTER.b]! & B.set) === 0) {
      rtc.phase = NANOSECONDS / 2;
      takeTime(rtc, effects.now);
    }
    updating = 0;
  }
  cmos[REGISTER.a] = (value & ~A.updateInProgress) | updating;
  if ((old ^ value) & A.rate) schedulePeriodic(rtc, effects.now, oldPeriod);
  scheduleUpdate(rtc, effects.now);
}

function writeB(rtc: RtcState, written: number, effects: Effects): void {
  const { cmos } = rtc;
  const old = cmos[REGISTER.b]!;
  const oldPeriod = periodOf(rtc);
  let value = written;
  if (written & B.set) {
    if (isRunning(rtc)) refreshTime(rtc, effects.now);
    cmos[REGISTER.a]! &= ~A.updateInProgress;
    value &= ~B.updateEnded;
  } else if (old & B.set && (cmos[REGISTER.a]! & A.divider) <= 0x20) {
    rtc.phase = nanosecondOf(rtc, effects.now);
    takeTime(rtc, effects.now);
  }
  driveFlags(rtc, value, effects);
  cmos[REGISTER.b] = value;
  if ((old ^ written) & B.periodic) schedulePeriodic(rtc, effects.now, oldPeriod);
  scheduleUpdate(rtc, effects.now);
}

/** A flag already set interrupts as soon as it is enabled. */
function driveFlags(rtc: RtcState, enabled: number, effects: Effects): void {
  const requested = (enabled & rtc.cmos[REGISTER.c]! & C.any) !== 0;
  if (requested) rtc.cmos[REGISTER.c]! |= C.request;
  else rtc.cmos[REGISTER.c]! &= ~C.request;
  effects.pin('irq', requested);
}

function readFlags(rtc: RtcState, effects: Effects): number {
  const flags = rtc.cmos[REGISTER.c]!;
  effects.pin('irq', false);
  rtc.cmos[REGISTER.c] = 0;
  if (flags & (C.updateEnded | C.alarm)) scheduleUpdate(rtc, effects.now);
  return flags;
}

/** UIP, latched until the update that it announces has happened. */
function updateInProgress(rtc: RtcState, now: number): boolean {
  if (!isRunning(rtc)) return false;
  if (rtc.updateDue !== UNARMED && now >= rtc.updateDue - UPDATE_HOLD) {
    rtc.cmos[REGISTER.a]! |= A.updateInProgress;
    return true;
  }
  return nanosecondOf(rtc, now) >= NANOSECONDS - UPDATE_HOLD;
}

/** Period in ticks of the 32768 Hz time base, 0 when off. Data sheet, table 5. */
function periodOf(rtc: RtcState): number {
  const rate = rtc.cmos[REGISTER.a]! & A.rate;
  if (rate === 0 || (rtc.cmos[REGISTER.b]! & B.periodic) === 0) return 0;
  return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
}

/** A change of the rate counts the ticks since the last interrupt, at most one period. */
function schedulePeriodic(rtc: RtcState, now: number, oldPeriod: number): void {
  const period = periodOf(rtc);
  if (period === 0) {
    rtc.periodicDue = UNARMED;
    return;
  }
  const tick = ticksOf(now);
  const last = oldPeriod === 0 ? tick : ticksOf(rtc.periodicDue) - oldPeriod;
  rtc.periodicDue = timeOfTick(tick + period - Math.min(tick - last, period)) + 1;
}

function expirePeriodic(rtc: RtcState, effects: Effects): void {
  const period = periodOf(rtc);
  rtc.periodicDue = period === 0 ? UNARMED : timeOfTick(ticksOf(rtc.periodicDue) + period) + 1;
  rtc.cmos[REGISTER.c]! |= C.periodic;
  if ((rtc.cmos[REGISTER.b]! & B.periodic) === 0) return;
  rtc.cmos[REGISTER.c]! |= C.request;
  effects.pin('irq', true);
}

function expireUpdate(rtc: RtcState, effects: Effects): void {
  refreshTime(rtc, effects.now);
  rtc.cmos[REGISTER.a]! &= ~A.updateInProgress;
  const flags = C.updateEnded | (effects.now >= rtc.alarmAt ? C.alarm : 0);
  const risen = flags & ~rtc.cmos[REGISTER.c]!;
  rtc.cmos[REGISTER.c]! |= flags;
  if (risen & rtc.cmos[REGISTER.b]!) {
    rtc.cmos[REGISTER.c]! |= C.request;
    effects.pin('irq', true);
  }
  scheduleUpdate(rtc, effects.now);
}

/** The next update cycle that changes something: the coming second, the alarm if UF is set already, or none. */
function scheduleUpdate(rtc: RtcState, now: number): void {
  const { cmos } = rtc;
  if ((cmos[REGISTER.a]! & A.dividerReset) === A.dividerReset) {
    rtc.updateDue = UNARMED;
    return;
  }
  const nextSecond = now + NANOSECONDS - nanosecondOf(rtc, now);
  rtc.alarmAt = nextSecond + (secondsToAlarm(rtc, now) - 1) * NANOSECONDS;
  rtc.updateDue = nextSecond;
  const latched = (cmos[REGISTER.a]! & A.updateInProgress) !== 0;
  if (latched || (cmos[REGISTER.c]! & C.updateEnded) === 0) return;
  const alarmSilent = (cmos[REGISTER.b]! & B.set) !== 0 || (cmos[REGISTER.c]! & C.alarm) !== 0;
  rtc.updateDue = alarmSilent ? UNARMED : rtc.alarmAt;
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
