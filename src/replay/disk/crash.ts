import type { Work } from '../../base/work.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { SparseBytes } from '../../memory/sparse.ts';
import { CHANCE } from '../sources/random.ts';
import type { Mark, Timeline } from '../timeline.ts';
import { atPowerLoss, lastFlush } from './at-power-loss.ts';
import { type Unflushed, withAll } from './drive-contents.ts';
import { type AfterPowerLoss, losePower } from './power-loss.ts';

/** A recorded run, to be run again to its moments. */
export interface TimedRun {
  readonly timeline: Timeline;
  readonly events: readonly Stamped[];
}

/** A disk whose power failed, beside what it would hold if it had not. */
export interface Crash extends AfterPowerLoss {
  readonly without: SparseBytes;
}

/** A drive loses its power where some of its changes are not durable: what chance left of it. */
export const crashOf = (unflushed: Unflushed, seed: string): Crash => ({
  ...losePower(unflushed, CHANCE, seed),
  without: withAll(unflushed),
});

/** The same at a place of a run. */
export function* crashAt(run: TimedRun, drive: string, place: Mark | number, seed: string): Work<Crash> {
  const { timeline, events } = run;
  const mark = typeof place === 'number' ? yield* timeline.seeking(place) : place;
  const flush = yield* lastFlush(events, drive, mark.seq);
  for (const step of atPowerLoss(timeline, drive, flush, [mark])) {
    if (typeof step !== 'number') return crashOf(step.unflushed, seed);
    yield step;
  }
  throw new Error('a moment of the run is not reached');
}

/** Events behind the last that the guest had a part in: digests. */
const CLOSING = 4;

/** Whether a run ended because its power was lost. */
export const endsWithoutPower = (events: readonly Stamped[]): boolean =>
  events.slice(-CLOSING).some(({ event }) => event.kind === 'sim:power_lost');
