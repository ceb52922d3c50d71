/** What time it is in a world. */
import type { UserNet } from '../user/part.ts';

const SECOND = 1_000_000_000;
const DAY = 86_400;

/** Nanoseconds since 1970 of a moment of virtual time. */
function timeOfDay({ setup, state, effects }: UserNet): bigint {
  const said = setup.world?.time;
  return (said === undefined ? state.world.wallClock : BigInt(said) * BigInt(SECOND)) + BigInt(effects.now);
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];

/** Year, month (from 0) and day of a day since 1970, by the Gregorian calendar. */
function dateOf(day: number): readonly [year: number, month: number, day: number] {
  // Counted from 1 March of year 0, so that the day that comes and goes is a year's last.
  const since = day + 719_468;
  const era = Math.floor(since / 146_097);
  const ofEra = since - era * 146_097;
  const years = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * years + Math.floor(years / 4) - Math.floor(years / 100));
  const shifted = Math.floor((5 * ofYear + 2) / 153);
  const month = (shifted + 2) % 12;
  const year = years + era * 400 + (month < 2 ? 1 : 0);
  return [year, month, ofYear - Math.floor((153 * shifted + 2) / 5) + 1];
}

const two = (number: number): string => `${number}`.padStart(2, '0');

/** RFC 867's example: `22-FEB-1982 17:37:43-UTC`, and the end of a line. */
export function daytime(net: UserNet): string {
  const seconds = Number(timeOfDay(net) / BigInt(SECOND));
  const [year, month, day] = dateOf(Math.floor(seconds / DAY));
  const left = seconds % DAY;
  const clock = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60].map(two).join(':');
  return `${two(day)}-${MONTHS[month]}-${year} ${clock}-UTC\r\n`;
}

/** Between 1900, where NTP begins, and 1970. */
const ERA = 2_208_988_800n;

/** A time as NTP has it: seconds since 1900 and their fraction, 32 bits each. RFC 5905, 6. */
export function ntpTime(net: UserNet): bigint {
  const time = timeOfDay(net);
  const second = BigInt(SECOND);
  return BigInt.asUintN(64, ((time / second + ERA) << 32n) | (((time % second) << 32n) / second));
}
