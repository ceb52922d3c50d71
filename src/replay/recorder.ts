import type { Stamped } from '../events/stamped.ts';
import type { TraceWriter } from './trace/writer.ts';

/** Takes every event of a run, in order, before anybody looks at it. Always on. */
export interface Recorder {
  /** What a machine's `onEvent` is. */
  record(stamped: Stamped): void;
  /** The latest events, oldest first. */
  recent(): readonly Stamped[];
  readonly count: number;
}

/** Events kept for a person who stops or a divergence that is explained. */
const RECENT = 64;

/** Record into a trace (when given), and hand each event on to whoever watches. */
export function createRecorder(writer?: TraceWriter, watch?: (stamped: Stamped) => void): Recorder {
  const ring: Stamped[] = [];
  let count = 0;
  return {
    record(stamped) {
      writer?.append(stamped);
      ring[count % RECENT] = stamped;
      count += 1;
      watch?.(stamped);
    },
    recent: () => (count <= RECENT ? ring.slice() : [...ring.slice(count % RECENT), ...ring.slice(0, count % RECENT)]),
    get count() {
      return count;
    },
  };
}
