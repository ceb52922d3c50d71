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
  const { engine } = timeline.machine;
  timeline.advance({ seq: from });
  const before = Buffer.from(engine.readHost(0, ram));
  timeline.advance({ seq: to });
  return Array.from({ length: ram / PAGE }, (_, page) => page).filter(
    (page) => before.compare(engine.readHost(page * PAGE, PAGE), 0, PAGE, page * PAGE, (page + 1) * PAGE) !== 0,
  );
}

/** Pages of RAM that the engine noted as written between two places, for its checkpoints: nothing there is KVM's. */
export function writtenPages(timeline: Timeline, from: number, to: number, ram: number): number[] {
  const region = timeline.machine.engine.regions.find(({ name }) => name === 'host memory') as FlatRegion;
  const { takeDirty } = region;
  const written = new Set<number>();
  // Digests of memory take them as well.
  region.takeDirty = () => {
    const pages = takeDirty() ?? [];
    for (const page of pages) if (page * PAGE < ram) written.add(page);
    return pages;
  };
  timeline.advance({ seq: from });
  region.takeDirty();
  written.clear();
  timeline.advance({ seq: to });
  region.takeDirty();
  return [...written].sort((a, b) => a - b);
}

type FlatRegion = { name: string; takeDirty: () => readonly number[] | undefined };

/** Bits of an EPT violation's qualification: a linear address is known; it is what was to be accessed, and no table. */
const [LINEAR, FINAL] = [1 << 7, 1 << 8];

/** Pages of page tables of the guest that a walk was not allowed to write. */
export function walkedPages(events: readonly Stamped[]): number[] {
  return events.flatMap(({ event }) => {
    if (event.kind !== 'kvm_page_fault') return [];
    const qualification = Number(event.error_code);
    const isTable = (qualification & LINEAR) !== 0 && (qualification & FINAL) === 0;
    return isTable ? [Math.floor(Number(event.fault_address) / PAGE)] : [];
  });
}
