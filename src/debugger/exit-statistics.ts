import type { Stamped } from '../events/stamped.ts';
import { symbol, VMX_EXIT_REASONS } from '../events/symbols.ts';

/** Exits of one reason: how many, and the guest instructions that ran before them. */
export interface ExitCount {
  readonly reason: string;
  readonly count: number;
  /** Ticks from the exit before, on any vCPU, to these exits, summed. */
  readonly ticks: number;
}

/** A fold over events that counts VM exits by reason, as `perf kvm stat` does. */
export interface ExitStatistics {
  hear(stamped: Stamped): void;
  /** Most frequent first. */
  counts(): ExitCount[];
}

/** Start counting. */
export function exitStatistics(): ExitStatistics {
  const counts = new Map<number, { count: number; ticks: number }>();
  let lastTick = 0;
  return {
    hear({ tick, event }) {
      if (event.kind !== 'kvm_exit') return;
      const reason = event.exit_reason & 0xffff;
      const row = counts.get(reason) ?? { count: 0, ticks: 0 };
      row.count += 1;
      row.ticks += tick - lastTick;
      lastTick = tick;
      counts.set(reason, row);
    },
    counts: () =>
      [...counts]
        .map(([reason, row]) => ({ reason: symbol(VMX_EXIT_REASONS, reason), ...row }))
        .sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1)),
  };
}
