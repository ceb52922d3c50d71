import type { Stamped } from '../events/stamped.ts';
import type { Mark, Timeline } from '../replay/timeline.ts';

/** A value that changed: after `tick` instructions it was `before`, one later `after`. */
export interface Change {
  readonly tick: number;
  readonly before: string;
  readonly after: string;
}

/** What is looked at: its value as text, so that any two can be compared. */
export type Reading = () => string;

/** Looks within one span; the spans between are looked into only where their ends differ. */
const SAMPLES = 64;
const FIRST_SPAN = 1 << 16;

interface Sample {
  readonly tick: number;
  readonly value: string;
}

/** Values at ticks spread over a span, both ends included. */
function samples(timeline: Timeline, from: number, to: number, read: Reading): Sample[] {
  const stride = Math.max(1, Math.ceil((to - from) / SAMPLES));
  const found: Sample[] = [];
  for (let tick = from; ; tick = Math.min(to, tick + stride)) {
    if (tick === from) timeline.seek(tick);
    else timeline.advance({ tick });
    found.push({ tick, value: read() });
    if (tick === to) return found;
  }
}

/**
 * The last change of a value before where the timeline stands; it stands there again afterwards. A value that came back
 * between two looks (1/64 of a span that grows with the distance) is taken as unchanged. Nothing before `from` counts.
 */
export function lastChange(timeline: Timeline, read: Reading, from = 0): Change | undefined {
  const { now } = timeline;
  try {
    return changeBefore(timeline, from, now.tick, read);
  } finally {
    timeline.seek(now);
  }
}

function changeBefore(timeline: Timeline, from: number, end: number, read: Reading): Change | undefined {
  let high = end;
  let span = FIRST_SPAN;
  while (high > from) {
    const low = Math.max(from, high - span);
    const found = narrowed(timeline, low, high, read);
    if (found !== undefined) return found;
    high = low;
    span *= 4;
  }
  return undefined;
}

function narrowed(timeline: Timeline, low: number, high: number, read: Reading): Change | undefined {
  const seen = samples(timeline, low, high, read);
  for (let at = seen.length - 2; at >= 0; at -= 1) {
    const [left, right] = [seen[at] as Sample, seen[at + 1] as Sample];
    if (left.value === right.value) continue;
    if (right.tick - left.tick === 1) return { tick: left.tick, before: left.value, after: right.value };
    return narrowed(timeline, left.tick, right.tick, read);
  }
  return undefined;
}

/** Changes of a value between two ticks, oldest first, at most `limit`; found as `lastChange` finds them. */
export function changesBetween(timeline: Timeline, from: number, to: number, read: Reading, limit: number): Change[] {
  const { now } = timeline;
  const found: Change[] = [];
  const look = (low: number, high: number): void => {
    const seen = samples(timeline, low, high, read);
    for (let at = 0; at + 1 < seen.length && found.length < limit; at += 1) {
      const [left, right] = [seen[at] as Sample, seen[at + 1] as Sample];
      if (left.value === right.value) continue;
      if (right.tick - left.tick === 1) found.push({ tick: left.tick, before: left.value, after: right.value });
      else look(left.tick, right.tick);
    }
  };
  look(from, to);
  timeline.seek(now);
  return found;
}

/** The events of one instruction's time: from where `tick` were retired to where one more is. */
export function eventsOfTick(timeline: Timeline, tick: number): { readonly at: Mark; readonly events: Stamped[] } {
  const at = timeline.seek(tick);
  const events: Stamped[] = [];
  timeline.watching(
    (stamped) => void events.push(stamped),
    () => timeline.advance({ tick: tick + 1 }),
  );
  return { at, events };
}
