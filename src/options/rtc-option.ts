import { commaValue, refuseOthers } from './qemu-values.ts';
import { UsageProblem } from './usage.ts';

/** What `-rtc` says of the time at power-on. */
export interface RtcAsked {
  /** Nanoseconds since 1970. */
  readonly date?: bigint;
  readonly localTime?: true;
}

/** `-rtc base=utc|localtime|DATE`. Its clock is virtual time, whatever `clock=` and `driftfix=` say. */
export function rtcAsked(text: string | undefined): RtcAsked {
  if (text === undefined) return {};
  const value = commaValue(text);
  refuseOthers('-rtc', value, ['base', 'clock', 'driftfix']);
  if (value.name !== undefined) throw new UsageProblem(`-rtc ${text}: write base=utc, base=localtime or base=DATE.`);
  for (const [key, known] of KNOWN) {
    const given = value.properties.get(key);
    if (given !== undefined && !known.includes(given)) {
      throw new UsageProblem(`-rtc ${text}: ${key} can be ${known.join(', ')}; time is virtual here in any case.`);
    }
  }
  const base = value.properties.get('base') ?? 'utc';
  if (base === 'utc') return {};
  return base === 'localtime' ? { localTime: true } : { date: dateOf(text, base) };
}

const KNOWN: readonly (readonly [string, readonly string[]])[] = [
  ['clock', ['host', 'rt', 'vm']],
  ['driftfix', ['none', 'slew']],
];

function dateOf(text: string, base: string): bigint {
  const isDate = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?$/.test(base);
  const milliseconds = isDate ? Date.parse(base.includes('T') ? `${base}Z` : base) : Number.NaN;
  if (!Number.isNaN(milliseconds)) return BigInt(milliseconds) * 1_000_000n;
  throw new UsageProblem(`-rtc ${text}: base is utc, localtime or a date like 2006-06-17T16:01:21 (in UTC).`);
}
