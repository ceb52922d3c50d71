import { type DateTime, dateOf, secondsOf } from './calendar.ts';
import { A, B, DONT_CARE, REGISTER } from './registers.ts';
import type { RtcState } from './state.ts';

const NANOSECONDS = 1_000_000_000;
const DAY = 86_400;
const ANY = -1;

/** Whether the clock counts: not being set, divider chain on. */
export function isRunning(rtc: RtcState): boolean {
  return (rtc.cmos[REGISTER.b]! & B.set) === 0 && (rtc.cmos[REGISTER.a]! & A.divider) <= 0x20;
}

/** Nanoseconds into the clock's current second. */
export function nanosecondOf(rtc: RtcState, now: number): number {
  return (now - rtc.setAt + rtc.phase) % NANOSECONDS;
}

/** Bring the time registers up to date, unless software is setting them. */
export function refreshTime(rtc: RtcState, now: number): void {
  if (rtc.cmos[REGISTER.b]! & B.set) return;
  const seconds = rtc.baseSeconds + Math.floor((now - rtc.setAt + rtc.phase) / NANOSECONDS);
  putDate(rtc.cmos, dateOf(seconds));
}

/** Software wrote the time registers: count on from there. */
export function takeTime(rtc: RtcState, now: number): void {
  const { cmos } = rtc;
  rtc.baseSeconds = secondsOf({
    second: decode(cmos, cmos[REGISTER.seconds]!),
    minute: decode(cmos, cmos[REGISTER.minutes]!),
    hour: hour24(cmos, decode(cmos, cmos[REGISTER.hours]! & 0x7f), cmos[REGISTER.hours]!),
    day: decode(cmos, cmos[REGISTER.dayOfMonth]!),
    month: decode(cmos, cmos[REGISTER.month]!),
    year: decode(cmos, cmos[REGISTER.year]!) + 100 * decode(cmos, cmos[REGISTER.century]!),
  });
  rtc.setAt = now;
}

/** Write a date into the time registers in the data mode and hour format of register B. */
export function putDate(cmos: number[], date: DateTime): void {
  cmos[REGISTER.seconds] = encode(cmos, date.second);
  cmos[REGISTER.minutes] = encode(cmos, date.minute);
  cmos[REGISTER.hours] = encodeHour(cmos, date.hour);
  cmos[REGISTER.dayOfWeek] = encode(cmos, date.dayOfWeek + 1);
  cmos[REGISTER.dayOfMonth] = encode(cmos, date.day);
  cmos[REGISTER.month] = encode(cmos, date.month);
  cmos[REGISTER.year] = encode(cmos, date.year % 100);
  cmos[REGISTER.century] = encode(cmos, Math.floor(date.year / 100));
}

/** Seconds (1 to a day) from the time registers' value to the next match of the alarm registers. */
export function secondsToAlarm(rtc: RtcState, now: number): number {
  refreshTime(rtc, now);
  const { cmos } = rtc;
  const second = decode(cmos, cmos[REGISTER.seconds]!);
  const minute = decode(cmos, cmos[REGISTER.minutes]!);
  const hour = hour24(cmos, decode(cmos, cmos[REGISTER.hours]! & 0x7f), cmos[REGISTER.hours]!);
  const current = hour * 3600 + minute * 60 + second;
  const wanted = {
    second: alarmField(cmos, REGISTER.secondsAlarm),
    minute: alarmField(cmos, REGISTER.minutesAlarm),
    hour: alarmHour(cmos),
  };
  return nextMatch(current, wanted);
}

interface Wanted {
  readonly second: number;
  readonly minute: number;
  readonly hour: number;
}

/** Walk from coarse to fine: an hour, then a minute, then a second that match, each at its first chance. */
function nextMatch(current: number, wanted: Wanted): number {
  let at = current + 1;
  for (let steps = 0; steps < 2 * (24 + 60 + 60) && at <= current + DAY; steps++) {
    const inDay = at % DAY;
    if (!matches(wanted.hour, Math.floor(inDay / 3600))) at += 3600 - (at % 3600);
    else if (!matches(wanted.minute, Math.floor(inDay / 60) % 60)) at += 60 - (at % 60);
    else if (!matches(wanted.second, inDay % 60)) at += 1;
    else return at - current;
  }
  return DAY;
}

const matches = (wanted: number, value: number): boolean => wanted === ANY || wanted === value;

function alarmField(cmos: readonly number[], register: number): number {
  const value = cmos[register]!;
  return value >= DONT_CARE ? ANY : decode(cmos, value);
}

function alarmHour(cmos: readonly number[]): number {
  const value = cmos[REGISTER.hoursAlarm]!;
  if (value >= DONT_CARE) return ANY;
  return hour24(cmos, decode(cmos, value & 0x7f), value);
}

function hour24(cmos: readonly number[], hour: number, register: number): number {
  if (cmos[REGISTER.b]! & B.hours24) return hour;
  return (hour % 12) + (register & 0x80 ? 12 : 0);
}

function encodeHour(cmos: readonly number[], hour: number): number {
  if (cmos[REGISTER.b]! & B.hours24) return encode(cmos, hour);
  return encode(cmos, hour % 12 || 12) | (hour >= 12 ? 0x80 : 0);
}

function encode(cmos: readonly number[], value: number): number {
  return cmos[REGISTER.b]! & B.binary ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

function decode(cmos: readonly number[], value: number): number {
  return cmos[REGISTER.b]! & B.binary ? value : (value >> 4) * 10 + (value & 0x0f);
}
