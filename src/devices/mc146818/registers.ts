/** MC146818 registers. Motorola MC146818A data sheet, figure 8 and tables 3-5; IBM's century byte. */

/** Time, calendar and alarm bytes, then control registers A-D. */
export const REGISTER = {
  seconds: 0x00,
  secondsAlarm: 0x01,
  minutes: 0x02,
  minutesAlarm: 0x03,
  hours: 0x04,
  hoursAlarm: 0x05,
  dayOfWeek: 0x06,
  dayOfMonth: 0x07,
  month: 0x08,
  year: 0x09,
  a: 0x0a,
  b: 0x0b,
  c: 0x0c,
  d: 0x0d,
  shutdownStatus: 0x0f,
  century: 0x32,
  /** IBM PS/2's place for the century: the same byte. */
  ps2Century: 0x37,
} as const;

/** Register A. */
export const A = { rate: 0x0f, divider: 0x70, dividerReset: 0x60, updateInProgress: 0x80 } as const;

/** Register B. */
export const B = {
  hours24: 0x02,
  binary: 0x04,
  squareWave: 0x08,
  updateEnded: 0x10,
  alarm: 0x20,
  periodic: 0x40,
  set: 0x80,
} as const;

/** Register C: interrupt flags, read to clear. */
export const C = { updateEnded: 0x10, alarm: 0x20, periodic: 0x40, any: 0x70, request: 0x80 } as const;

/** Register D: valid RAM and time. */
export const D_VALID = 0x80;

/** Ticks per second of the time base that the periodic rates divide. */
export const TIME_BASE = 32768;

/** UIP is set 8 ticks of the time base (244 us) before the update. Table 6. */
export const UPDATE_HOLD = Math.floor((8 * 1_000_000_000) / TIME_BASE);

/** Alarm codes from 0xc0 up match any value. */
export const DONT_CARE = 0xc0;

/** Port 70h takes the index, port 71h the data; of a wider access every second byte is an index. */
export const isIndexPort = (offset: number): boolean => (offset & 1) === 0;
