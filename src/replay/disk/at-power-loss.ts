/** A run is run again to moments at which a drive loses its power. */
import type { Seq } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { Mark, Timeline } from '../timeline.ts';
import { bytesOf, type Unflushed, UnflushedOf } from './drive-contents.ts';

/** Ticks run between two looks at whether somebody wants to stop. */
const PIECE = 1 << 16;
/** Events looked at between two such looks. */
const EVENTS = 1 << 10;

/** One of the moments, by its place among them. */
export interface Reached {
  readonly at: number;
  readonly unflushed: Unflushed;
}

/**
 * What a drive has durable, and what not, at each of some moments in the order of the run. Between them it yields how
 * much of the way is done. `flush`: just before the last flush before the first of them; undefined: there is none.
 */
export function* atPowerLoss(
  timeline: Timeline,
  drive: string,
  flush: Mark | undefined,
  moments: readonly Mark[],
): Generator<Reached | number, void> {
  const last = moments.at(-1);
  if (last === undefined) return;
  for (const _ of timeline.seeking(flush === undefined ? 0 : Math.max(0, flush.tick - 1))) yield 0;
  const reader = new UnflushedOf(bytesOf(timeline, drive), drive);
  let reached = 0;
  const found: Reached[] = [];
  const reachAll = (seq: Seq): void => {
    for (; reached < moments.length && moments[reached]!.seq <= seq; reached += 1) {
      found.push({ at: reached, unflushed: reader.now() });
    }
  };
  const hear = (stamped: Stamped): void => {
    reachAll(stamped.seq);
    reader.next(stamped);
  };
  const { machine } = timeline;
  const from = machine.ticks;
  while (reached < moments.length) {
    const before = { seq: machine.seq, tick: machine.ticks };
    const tick = before.tick < last.tick ? Math.min(last.tick, before.tick + PIECE) : before.tick + 1;
    const { why } = timeline.watching(hear, () => timeline.advance({ seq: last.seq, tick }));
    const isOver = why !== 'until' && machine.seq === before.seq && machine.ticks === before.tick;
    reachAll(isOver ? last.seq : machine.seq);
    yield* found.splice(0);
    yield Math.min(1, (machine.ticks - from) / Math.max(1, last.tick - from));
  }
}

/** The last flush of a drive before an event: just before it. */
export function* lastFlush(events: readonly Stamped[], drive: string, before: Seq): Work<Mark | undefined> {
  const first = events[0]?.seq ?? 0;
  for (let at = Math.min(events.length, before - first) - 1; at >= 0; at -= 1) {
    const { event, seq, tick } = events[at]!;
    if (event.kind === 'sim:disk_flushed' && event.drive === drive) return { seq, tick };
    if (at % EVENTS === 0) yield undefined;
  }
  return undefined;
}
