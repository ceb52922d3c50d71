/** How long things took. */
import type { Ns } from '../../base/units.ts';

/** Those that are told: the median, the slow ones, the slowest. */
export const PERCENTILES = [50, 90, 99, 100] as const;

/** The least value that so many of a hundred do not exceed: the nearest rank. */
export const percentile = (sorted: readonly number[], percent: number): number =>
  sorted[Math.max(0, Math.ceil((percent * sorted.length) / 100) - 1)] ?? 0;

/** Virtual microseconds of a table. */
export const micros = (ns: Ns): string => (ns / 1000).toFixed(1);

/** Latencies, least first, as programs have them. */
export const spreadOf = (sorted: readonly Ns[]) => ({
  ns: sorted.reduce((sum, each) => sum + each, 0),
  ns_least: sorted[0] ?? 0,
  ns_p50: percentile(sorted, 50),
  ns_p90: percentile(sorted, 90),
  ns_p99: percentile(sorted, 99),
  ns_most: sorted.at(-1) ?? 0,
});
