/** Where a recorded run measured which pages were written, and what an account of its own finds there. */
import type { Stamped } from '../../src/events/stamped.ts';
import type { Timeline } from '../../src/replay/timeline.ts';

/** Numbers of events of the first measurement of a run. */
export interface Measurement {
  /** Somebody asked. */
  readonly asked: number;
  /** Pages count from here on. */
  readonly begun: number;
  /** What KVM's log has is taken from here on. */
  readonly over: number;
  readonly measured: number;
}

export function measurementOf(events: readonly Stamped[]): Measurement {
  const at = (isIt: (stamped: Stamped) => boolean): number => events.findIndex(isIt);
  const begun = at(({ event }) => event.kind === 'sim:dirty_rate_waits');
  const measured = at(({ event }) => event.kind === 'dirtyrate_set_state' && event.new_state === 'measured');
  return {
    asked: at(({ event }) => event.kind === 'sim:dirty_rate_asked'),
    begun,
    over: at(({ event, cause }) => event.kind === 'kvm_vm_ioctl' && cause === begun),
    measured,
  };
}

const PAGE = 4096;

/** Pages of RAM below a size whose bytes differ between two places of a run. Guest memory begins at its first byte. */
export function changedPages(timeline: Timeline, from: number, to: number, ram: number): number[] {
  const bytesAt = (seq: number): Uint8Array => {
    timeline.advance({ seq });
    return timeline.machine.engine.readHost(0, ram).slice();
  };
  const [before, after] = [bytesAt(from), bytesAt(to)];
  const words = [before, after].map(({ buffer }) => new BigUint64Array(buffer as ArrayBuffer));
  return Array.from({ length: ram / PAGE }, (_, page) => page).filter((page) => {
    const first = (page * PAGE) / 8;
    for (let at = first; at < first + PAGE / 8; at += 1) if (words[0]![at] !== words[1]![at]) return true;
    return false;
  });
}
