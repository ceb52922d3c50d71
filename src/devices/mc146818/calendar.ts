/** A date and time in UTC as the clock chip's registers split it. Month and day count from 1, Sunday is 0. */
export interface DateTime {
  readonly second: number;
  readonly minute: number;
  readonly hour: number;
  readonly dayOfWeek: number;
  readonly day: number;
  readonly month: number;
  readonly year: number;
}

const DAY = 86_400;
/** Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar. */
const EPOCH = 719_468;
const DAYS_PER_ERA = 146_097;

/** Seconds since 1970 as a date. Years counted from 1 March make every month's start a linear function. */
export function dateOf(unixSeconds: number): DateTime {
  const days = Math.floor(unixSeconds / DAY);
  const inDay = unixSeconds - days * DAY;
  const shifted = days + EPOCH;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36524) + Math.floor(dayOfEra / 146096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - daysBeforeYear(yearOfEra);
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    second: inDay % 60,
    minute: Math.floor(inDay / 60) % 60,
    hour: Math.floor(inDay / 3600),
    dayOfWeek: (((days + 4) % 7) + 7) % 7,
    day: dayOfYear - daysBeforeMonth(marchMonth) + 1,
    month,
    year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0),
  };
}

/** A date as seconds since 1970. Values beyond their range carry over, as mktime's do. */
export function secondsOf(date: Omit<DateTime, 'dayOfWeek'>): number {
  const months = date.year * 12 + (date.month - 1) - 2;
  const year = Math.floor(months / 12);
  const era = Math.floor(year / 400);
  const dayOfYear = daysBeforeMonth(months - year * 12) + date.day - 1;
  const days = era * DAYS_PER_ERA + daysBeforeYear(year - era * 400) + dayOfYear - EPOCH;
  return days * DAY + date.hour * 3600 + date.minute * 60 + date.second;
}

const daysBeforeYear = (year: number): number => year * 365 + Math.floor(year / 4) - Math.floor(year / 100);
const daysBeforeMonth = (marchMonth: number): number => Math.floor((153 * marchMonth + 2) / 5);
