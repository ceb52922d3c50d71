import { Problem, shortly } from './problem.ts';
import type { Ns } from './units.ts';

const NS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/** How virtual time is written: a number with its unit. */
export const VIRTUAL_TIME = /^(\d+(?:\.\d+)?)(ns|us|ms|s)$/;

/** A number with its unit, ns, us, ms or s: in nanoseconds; undefined: it is none, or none that is exact. */
export function virtualNs(text: string): Ns | undefined {
  const [, number = '', unit = ''] = VIRTUAL_TIME.exec(text) ?? [];
  const ns = Math.round(Number(number) * (NS[unit] ?? Number.NaN));
  return Number.isSafeInteger(ns) ? ns : undefined;
}

/** The same of what somebody typed. Throws a Problem when it is no time. */
export function timeAsked(text: string): Ns {
  const ns = virtualNs(text.trim());
  if (ns === undefined) throw new Problem(`${shortly(text)} is no virtual time, as 12.5ms or 3s: \`@12.5ms\`.`);
  return ns;
}
