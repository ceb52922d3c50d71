import { moveKey } from '../../base/move-key.ts';
import { onOneLine } from '../../base/printable.ts';
import type { Ns, Seq } from '../../base/units.ts';
import type { Pace } from '../../events/costs.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { csvLine } from './event-columns.ts';
import { micros, percentile, PERCENTILES, spreadOf } from './percentiles.ts';
import { eventClock } from './report.ts';

/** Requests of one kind to one drive. */
export interface DiskStatistics {
  readonly drive: string;
  readonly op: string;
  readonly requests: number;
  readonly failed: number;
  readonly bytes: number;
  /** Virtual nanoseconds from a request to its completion, least first. */
  readonly latencies: readonly Ns[];
  /** The one that took longest: where it was submitted. */
  readonly slowest: Seq;
}

interface Counted {
  readonly drive: string;
  readonly op: string;
  requests: number;
  failed: number;
  bytes: number;
  latencies: Ns[];
  slowest: Seq;
  most: Ns;
}

/** What is counted of a run: of the requests those that are meant; absent: all. */
export interface DiskCounting {
  readonly pace: Pace;
  readonly isMeant?: ((stamped: Stamped) => boolean) | undefined;
}

/** A reader of a run that counts requests to its drives by what they ask for. To be told every event, in order. */
export class DiskCounts {
  private readonly counting: DiskCounting;
  private readonly clock;
  private readonly found = new Map<string, Counted>();
  private readonly inFlight = new Map<Seq, { readonly from: Ns; readonly event: EventOf<'sim:disk_submitted'> }>();

  constructor(counting: DiskCounting) {
    this.counting = counting;
    this.clock = eventClock(counting.pace);
  }

  next(stamped: Stamped): void {
    const ns = this.clock.ns(stamped);
    const { event, seq, cause } = stamped;
    if (event.kind === 'sim:disk_submitted') {
      if (this.counting.isMeant?.(stamped) !== false) this.inFlight.set(seq, { from: ns, event });
    } else if (event.kind === 'sim:disk_faulted') moveKey(this.inFlight, cause ?? -1, seq);
    else if (event.kind === 'sim:disk_completed') this.completed(event.result, cause ?? -1, ns);
  }

  private completed(result: number, submitted: Seq, ns: Ns): void {
    const request = this.inFlight.get(submitted);
    if (request === undefined) return;
    this.inFlight.delete(submitted);
    const { drive, op, len } = request.event;
    const row = this.rowOf(drive, op);
    const latency = ns - request.from;
    row.requests += 1;
    if (result === 0) row.bytes += len;
    else row.failed += 1;
    row.latencies.push(latency);
    if (latency <= row.most) return;
    row.most = latency;
    row.slowest = submitted;
  }

  private rowOf(drive: string, op: string): Counted {
    const name = `${drive} ${op}`;
    let row = this.found.get(name);
    if (row === undefined) {
      row = { drive, op, requests: 0, failed: 0, bytes: 0, latencies: [], slowest: -1, most: -1 };
      this.found.set(name, row);
    }
    return row;
  }

  /** Most frequent first. Those in flight at the end are not among them. */
  get rows(): DiskStatistics[] {
    const all = [...this.found.values()].map(({ most: _most, ...row }) => {
      row.latencies.sort((one, other) => one - other);
      return row;
    });
    return all.sort((one, other) => other.requests - one.requests || (one.op < other.op ? -1 : 1));
  }
}

const WIDTHS = [10, 13, 9, 7, 12, 9, 9, 9, 9] as const;

const row = (cells: readonly string[]): string =>
  cells
    .map((cell, at) => (at < 2 ? cell.padEnd(WIDTHS[at]!) : cell.padStart(WIDTHS[at]!)))
    .join('')
    .trimEnd();

/** Requests as a table of text; latencies in virtual microseconds. */
export function diskTable(rows: readonly DiskStatistics[]): string {
  const requests = rows.reduce((sum, each) => sum + each.requests, 0);
  const slowest = rows
    .filter(({ latencies }) => latencies.length > 0)
    .map(slowestOf)
    .sort((a, b) => b.ns - a.ns)[0];
  return [
    row(['Drive', 'Request', 'Count', 'Failed', 'Bytes', 'p50 us', 'p90 us', 'p99 us', 'most us']),
    '',
    ...rows.map(({ drive, op, requests: count, failed, bytes, latencies }) =>
      row([
        ...[onOneLine(drive), op, String(count), String(failed), String(bytes)],
        ...PERCENTILES.map((percent) => micros(percentile(latencies, percent))),
      ]),
    ),
    '',
    `Total requests: ${requests}.${slowestText(slowest)}`,
  ].join('\n');
}

const slowestText = (slowest: ReturnType<typeof slowestOf> | undefined): string =>
  slowest === undefined ? '' : ` Slowest: ${slowest.op}, #${slowest.seq}, ${micros(slowest.ns)} us.`;

const slowestOf = ({ latencies, slowest: seq, op }: DiskStatistics) => ({ ns: latencies.at(-1) ?? 0, seq, op });

const plain = ({ drive, op, requests, failed, bytes, latencies, slowest }: DiskStatistics) => ({
  drive,
  op,
  requests,
  failed,
  bytes,
  ...spreadOf(latencies),
  slowest,
});

/** The same, a JSON object a line. */
export const diskJson = (rows: readonly DiskStatistics[]): string[] => rows.map((each) => JSON.stringify(plain(each)));

/** The same as RFC 4180 has it. */
export function diskCsv(rows: readonly DiskStatistics[]): string[] {
  const all = rows.map(plain);
  const names = [
    'drive',
    'op',
    'requests',
    'failed',
    'bytes',
    'ns',
    'ns_least',
    'ns_p50',
    'ns_p90',
    'ns_p99',
    'ns_most',
    'slowest',
  ] as const;
  return [csvLine(names), ...all.map((each) => csvLine(names.map((name) => each[name])))];
}
