import { expect } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { NODE } from '../../src/host/node.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline } from '../../src/runs/recorded/recorded-run.ts';

/** Ticks: less than between most of what is sought near. */
const SOON = 4000;

/** A recorded run with stored checkpoints, and where in it to look. */
export interface Sought {
  readonly trace: string;
  /** Every other seek is soon behind an event of this kind. */
  readonly near: string;
  readonly seeks: number;
  /** What else is the machine's, as a text: absent, nothing. */
  also?(run: RecordedTimeline): string;
}

/** The machine where it stands: its state, its memory as it sums it up, and what else there is. */
interface Found {
  readonly seq: number;
  readonly tick: number;
  readonly state: string;
  readonly pages: string;
  readonly also: string | undefined;
}

const opened = (trace: string, problems?: string[]): RecordedTimeline =>
  openTimeline(
    openRecordedRun(NODE, trace, {}),
    problems === undefined ? {} : { onStoredProblem: (sentence) => void problems.push(sentence) },
  );

function foundBy(run: RecordedTimeline, { also }: Sought): Found {
  const { machine } = run.timeline;
  const { seq, ticks: tick, pages, state } = machine;
  return { seq, tick, state: digestOf(state), pages: pages.digest(), also: also?.(run) };
}

const number = (stream: string, at: number): number => CHANCE.int32('seeks', stream, at) >>> 0;

/** Ticks in order: of every two one is anywhere in the run, and one soon behind what is sought near. */
function drawTicks({ events, timeline }: RecordedTimeline, { near, seeks }: Sought): number[] {
  const marks = events.filter(({ event }) => event.kind === near);
  const ticks = Array.from({ length: seeks + 1 }, (_, at) => {
    const drawn = number('ticks', at);
    if (at % 2 === 0) return drawn % timeline.end.tick;
    return marks[drawn % marks.length]!.tick + (number('behind', at) % SOON);
  });
  return ticks.sort((one, other) => one - other);
}

/** What is found at each of these ticks by who goes through the run from its beginning to its end. */
function wayThrough(sought: Sought, ticks: readonly number[]): Found[] {
  const run = opened(sought.trace);
  const found = ticks.map((tick) => {
    run.timeline.advance({ tick });
    return foundBy(run, sought);
  });
  expect(run.verifier.divergence).toBeUndefined();
  run.close();
  return found;
}

/** Seek to ticks at random and run on to the next: what is found is what who never sought finds there. Returns that. */
export function seekAtRandom(sought: Sought): readonly Found[] {
  const { trace, seeks } = sought;
  const problems: string[] = [];
  const again = opened(trace, problems);
  const ticks = drawTicks(again, sought);
  const found = wayThrough(sought, ticks);
  for (let seek = 0; seek < seeks; seek += 1) {
    const at = number('order', seek) % seeks;
    again.timeline.seek(ticks[at]!);
    expect(foundBy(again, sought)).toEqual(found[at]);
    again.timeline.advance({ tick: ticks[at + 1]! });
    expect(foundBy(again, sought)).toEqual(found[at + 1]);
  }
  expect([again.verifier.divergence, problems]).toEqual([undefined, []]);
  again.close();
  return found;
}
