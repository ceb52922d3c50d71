import type { Ns } from '../../base/units.ts';
import { type DateTime, dateOf, secondsOf } from './calendar.ts';
import { B, DONT_CARE, REGISTER } from './registers.ts';
import type { RtcState } from './state.ts';

const NANOSECONDS = 1_000_000_000;
const DAY = 86_400;
const ANY = -1;

/** Nanoseconds into the clock's current second. */
export function nanosecondOf(rtc: RtcState, now: Ns): number {
  return (now - rtc.setAt + rtc.phase) % NANOSECONDS;
}

/** The clock's time now, in seconds since 1970. */
export function secondsAt(rtc: RtcState, now: Ns): number {
  return rtc.baseSeconds + Math.floor((now - rtc.setAt + rtc.phase) / NANOSECONDS);
}

/** The time the registers show, in seconds since 1970. */
export function shownSeconds({ cmos }: RtcState): number {
  const mode = cmos[REGISTER.b]!;
  return secondsOf({
    second: decode(mode, cmos[REGISTER.seconds]!),
    minute: decode(mode, cmos[REGISTER.minutes]!),
    hour: hour24(mode, decode(mode, cmos[REGISTER.hours]! & 0x7f), cmos[REGISTER.hours]!),
    day: decode(mode, cmos[REGISTER.dayOfMonth]!),
    month: decode(mode, cmos[REGISTER.month]!),
    year: decode(mode, cmos[REGISTER.year]!) + 100 * decode(mode, cmos[REGISTER.century]!),
  });
}

/** The time registers' bytes at a time, in the data mode and hour format of register B's value `mode`. */
export function timeBytes(seconds: number, mode: number): readonly (readonly [register: number, byte: number])[] {
  const date: DateTime = dateOf(seconds);
  return [
    [REGISTER.seconds, encode(mode, date.second)],
    [REGISTER.minutes, encode(mode, date.minute)],
    [REGISTER.hours, encodeHour(mode, date.hour)],
    [REGISTER.dayOfWeek, encode(mode, date.dayOfWeek + 1)],
    [REGISTER.dayOfMonth, encode(mode, date.day)],
    [REGISTER.month, encode(mode, date.month)],
    [REGISTER.year, encode(mode, date.year % 100)],
    [REGISTER.century, encode(mode, Math.floor(date.year / 100))],
  ];
}

/** Whether the registers show a time already. */
export const isShown = ({ cmos }: RtcState, seconds: number, mode: number): boolean =>
  timeBytes(seconds, mode).every(([register, byte]) => cmos[register] === byte);

/** Seconds (1 to a day) from the time registers' value to the next match of the alarm registers. */
export function secondsToAlarm({ cmos }: RtcState): number {
  const mode = cmos[REGISTER.b]!;
  const second = decode(mode, cmos[REGISTER.seconds]!);
  const minute = decode(mode, cmos[REGISTER.minutes]!);
  const hour = hour24(mode, decode(mode, cmos[REGISTER.hours]! & 0x7f), cmos[REGISTER.hours]!);
  return nextMatch(hour * 3600 + minute * 60 + second, {
    second: alarmField(mode, cmos[REGISTER.secondsAlarm]!),
    minute: alarmField(mode, cmos[REGISTER.minutesAlarm]!),
    hour: alarmHour(mode, cmos[REGISTER.hoursAlarm]!),
  });
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

const alarmField = (mode: number, value: number): number => (value >= DONT_CARE ? ANY : decode(mode, value));

function alarmHour(mode: number, value: number): number {
  if (value >= DONT_CARE) return ANY;
  return hour24(mode, decode(mode, value & 0x7f), value);
}

function hour24(mode: number, hour: number, register: number): number {
  if (mode & B.hours24) return hour;
  return (hour % 12) + (register & 0x80 ? 12 : 0);
}

function encodeHour(mode: number, hour: number): number {
  if (mode & B.hours24) return encode(mode, hour);
  return encode(mode, hour % 12 || 12) | (hour >= 12 ? 0x80 : 0);
}

const encode = (mode: number, value: number): number =>
  mode & B.binary ? value : (Math.floor(value / 10) << 4) | (value % 10);

const decode = (mode: number, value: number): number => (mode & B.binary ? value : (value >> 4) * 10 + (value & 0x0f));
