/** Packets by who sent them, as text and for programs. */
import { onOneLine } from '../../base/printable.ts';
import { csvLine } from './event-columns.ts';
import { HOPS, type NetStatistics } from './net-statistics.ts';
import { micros, percentile, PERCENTILES, spreadOf } from './percentiles.ts';

const NAME = 22;
const HOP = 20;

const cells = (values: readonly (string | number)[], width: number): string =>
  values.map((value) => String(value).padStart(width)).join('');

const named = (name: string): string => onOneLine(name).padEnd(NAME);

const lostOf = ({ lost }: NetStatistics): number => [...lost.values()].reduce((sum, each) => sum + each, 0);

const sum = (rows: readonly NetStatistics[], of: (row: NetStatistics) => number): number =>
  rows.reduce((total, row) => total + of(row), 0);

/** As a table of text; latencies in virtual microseconds. */
export function netTable(rows: readonly NetStatistics[]): string {
  const losses = rows.flatMap(({ client, lost }) => [...lost].map(([why, count]) => ({ client, why, count })));
  return [
    `${named('Client')}${cells(['Packets', 'Bytes', 'Taken', 'Waited', 'Lost'], 11)}`,
    '',
    ...rows.map(
      (row) => `${named(row.client)}${cells([row.packets, row.bytes, row.taken, row.waited, lostOf(row)], 11)}`,
    ),
    '',
    `${named('Latency of')}${'Hop'.padEnd(HOP)}${cells(['Count', 'p50 us', 'p90 us', 'p99 us', 'most us'], 10)}`,
    '',
    ...rows.flatMap(hopLines),
    ...(losses.length === 0 ? [] : ['', 'Lost']),
    ...losses.map(({ client, why, count }) => onOneLine(`  ${count} of ${client} at ${why}`)),
    '',
    `Total packets: ${sum(rows, ({ packets }) => packets)}, bytes: ${sum(rows, ({ bytes }) => bytes)}.`,
  ].join('\n');
}

const hopLines = ({ client, hops }: NetStatistics): string[] =>
  HOPS.flatMap((hop) => {
    const all = hops.get(hop);
    if (all === undefined) return [];
    const spread = PERCENTILES.map((percent) => micros(percentile(all, percent)));
    return [`${named(client)}${hop.padEnd(HOP)}${cells([all.length, ...spread], 10)}`];
  });

const plainHops = ({ hops }: NetStatistics) =>
  HOPS.flatMap((hop) => {
    const all = hops.get(hop);
    return all === undefined ? [] : [{ hop, count: all.length, ...spreadOf(all) }];
  });

/** The same, a JSON object for each client. */
export const netJson = (rows: readonly NetStatistics[]): string[] =>
  rows.map((row) => {
    const { client, packets, bytes, taken, waited, lost } = row;
    return JSON.stringify({
      ...{ client, packets, bytes, taken, waited, lost: lostOf(row), reasons: Object.fromEntries(lost) },
      hops: plainHops(row),
    });
  });

const COLUMNS = ['hop', 'count', 'ns', 'ns_least', 'ns_p50', 'ns_p90', 'ns_p99', 'ns_most'] as const;

/** The same as RFC 4180 has it: a line for each hop of each client. */
export const netCsv = (rows: readonly NetStatistics[]): string[] => [
  csvLine(['client', 'packets', 'bytes', 'taken', 'waited', 'lost', ...COLUMNS]),
  ...rows.flatMap((row) => {
    const { client, packets, bytes, taken, waited } = row;
    const counts = [client, packets, bytes, taken, waited, lostOf(row)];
    return plainHops(row).map((hop) => csvLine([...counts, ...COLUMNS.map((name) => hop[name])]));
  }),
];
