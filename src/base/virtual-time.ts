import type { Ns } from './units.ts';

const NS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/** A number with its unit, ns, us, ms or s: in nanoseconds; undefined: it is none. */
export function virtualNs(text: string): Ns | undefined {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ns|us|ms|s)$/.exec(text) ?? [];
  const ns = Math.round(Number(number) * (NS[unit] ?? Number.NaN));
  return Number.isSafeInteger(ns) ? ns : undefined;
}
