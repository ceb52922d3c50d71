import type { Stamped } from '../../events/stamped.ts';
import { symbol } from '../../events/symbols.ts';
import { EXIT_REASON } from '../../x86/controls.ts';
import { EXIT_NAMES } from '../../x86/exit-reasons.ts';

/** Exits of one reason. */
export interface ExitStatistics {
  readonly reason: string;
  readonly count: number;
  /** Of all exits, 0..1. */
  readonly share: number;
  /** Guest ticks that ended in this exit: all, least and most. */
  readonly ticks: number;
  readonly leastTicks: number;
  readonly mostTicks: number;
}

interface Tally {
  count: number;
  ticks: number;
  least: number;
  most: number;
}

/** A reader of a run that counts what `perf kvm stat report` counts: VM exits by reason, of all vCPUs or of one. */
export class ExitCounts {
  private readonly tallies = new Map<number, Tally>();
  private readonly vcpu: number | undefined;

  constructor(vcpu?: number) {
    this.vcpu = vcpu;
  }

  next({ event }: Stamped): void {
    if (event.kind !== 'kvm_exit' || (this.vcpu !== undefined && event.vcpu_id !== this.vcpu)) return;
    const reason = event.exit_reason & EXIT_REASON.BASIC;
    let tally = this.tallies.get(reason);
    if (tally === undefined) {
      tally = { count: 0, ticks: 0, least: event.ticks, most: 0 };
      this.tallies.set(reason, tally);
    }
    tally.count += 1;
    tally.ticks += event.ticks;
    tally.least = Math.min(tally.least, event.ticks);
    tally.most = Math.max(tally.most, event.ticks);
  }

  /** Most frequent first. */
  get rows(): ExitStatistics[] {
    const total = [...this.tallies.values()].reduce((sum, { count }) => sum + count, 0);
    return [...this.tallies]
      .map(([reason, { count, ticks, least, most }]) => ({
        reason: symbol(EXIT_NAMES, reason),
        count,
        share: count / total,
        ticks,
        leastTicks: least,
        mostTicks: most,
      }))
      .sort((left, right) => right.count - left.count || (left.reason < right.reason ? -1 : 1));
  }
}

/** The statistics as a table of text. */
export function printStatistics(rows: readonly ExitStatistics[]): string {
  const total = rows.reduce((sum, { count }) => sum + count, 0);
  const ticks = rows.reduce((sum, row) => sum + row.ticks, 0);
  const head = columns(['VM-EXIT', 'Samples', 'Samples%', 'Ticks', 'Ticks%', 'Min', 'Max', 'Avg']);
  const lines = rows.map((row) =>
    columns([
      row.reason,
      String(row.count),
      percent(row.share),
      String(row.ticks),
      percent(ticks === 0 ? 0 : row.ticks / ticks),
      String(row.leastTicks),
      String(row.mostTicks),
      (row.ticks / row.count).toFixed(1),
    ]),
  );
  return [head, '', ...lines, '', `Total samples: ${total}, guest ticks: ${ticks}.`].join('\n');
}

const percent = (share: number): string => `${(share * 100).toFixed(2)}%`;

const columns = ([first, ...rest]: readonly [string, ...string[]]): string =>
  first.padStart(20) + rest.map((text) => text.padStart(12)).join('');
