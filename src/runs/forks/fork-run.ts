import { finish } from '../../base/work.ts';
import { Problem } from '../../base/problem.ts';
import type { Seq } from '../../base/units.ts';
import type { Change } from '../../replay/interventions.ts';
import { endOf, markOf } from '../../replay/places.ts';
import { interventionEvent } from '../../machine/intervene.ts';
import { createMachine } from '../../machine/machine.ts';
import type { PendingInput } from '../../machine/parts.ts';
import { createTimeline, type Mark, type Timeline } from '../../replay/timeline.ts';
import { createTraceWriter } from '../../replay/trace/writer.ts';
import { recordedInputs } from '../../replay/verify.ts';
import { assemble } from '../machine/assemble.ts';
import type { RecordedRun } from '../recorded/recorded-run.ts';
import { forkedFrom, isOfTheWorld, STOPPED } from '../run-inputs.ts';

/** What is forked, where, into what. */
export interface Fork {
  readonly run: RecordedRun;
  /** As the debugger reads places. */
  readonly place: string;
  readonly changes: readonly Change[];
  /** The changes as they were typed, for the new trace's header. */
  readonly said: string;
  readonly trace: string;
  /** Ticks to run in all; the parent's, when absent. */
  readonly ticks: number | undefined;
  /** Bytes the guest sends over COM1 after the mark. */
  onSerial(byte: number): void;
}

/** How a fork went. */
export interface Forked {
  readonly at: Mark;
  readonly end: Mark;
  readonly why: 'ended' | 'idle' | 'ticks';
}

/** Run a recorded run again up to a mark, change something, and run on from there into a trace of its own. */
export function forkRun(fork: Fork): Forked {
  const { run } = fork;
  const { events } = run.read;
  const end = endOf(events);
  const place = finish(markOf(fork.place, { events, pace: run.description }, { seq: 0, tick: 0 }));
  const recorded = recordedInputs(events, run.description);
  let future: PendingInput[] | undefined;
  let file: ReturnType<typeof startForkTrace> | undefined;
  const timeline = createTimeline({
    build: (parts) => createMachine(assemble({ ...run, ...parts })),
    inputs: {
      peek: (seq) => (future === undefined ? recorded.peek(seq) : future[0]),
      take: () => void future?.shift(),
    },
    onEvent(stamped) {
      file ??= startForkTrace(fork);
      file.writer.append(stamped);
      const { event } = stamped;
      if (future !== undefined && event.kind === 'sim:serial_sent' && event.line === 0) fork.onSerial(event.byte);
    },
    get recordedTo() {
      return future === undefined ? end.seq + 1 : 0;
    },
    // Nobody goes back in it.
    every: Number.MAX_SAFE_INTEGER,
  });
  try {
    const at = timeline.seek(place);
    future = futureInputs(fork, timeline, at, recorded.peek);
    const why = runOn(timeline, fork.ticks ?? Math.max(end.tick, at.tick + 1));
    if (why !== 'ended') {
      future = [{ event: STOPPED }];
      timeline.advance({});
    }
    file?.close();
    return { at, end: timeline.now, why };
  } catch (error) {
    // Half a fork would look like a run that was cut.
    file?.drop();
    throw error;
  }
}

/** A new trace that says whose fork it is, and has its name once it is closed. */
export function startForkTrace({ run, place, said, trace }: Pick<Fork, 'run' | 'place' | 'said' | 'trace'>) {
  const { files, compress, version: engineVersion } = run.world;
  if (files.areSame(trace, run.path)) throw new Problem(`${trace} is the parent: give the fork another name.`);
  files.refuseOtherThanTrace(trace);
  const file = files.createWhole(trace, 'trace');
  const { machine, images, seed } = run.trace.header;
  const parent = { trace: run.path, at: place, set: said };
  const beside = { payloads: run.payloads, blocks: run.disks?.blocks.list };
  const writer = createTraceWriter(file, compress, { engineVersion, machine, images, seed, parent }, beside);
  return {
    writer,
    close() {
      writer.close();
      file.close();
    },
    drop: file.drop,
  };
}

/** That it is a fork, the changes, and the parent's later inputs at the time they had. */
function futureInputs(
  { run, changes }: Fork,
  { machine }: Timeline,
  at: Mark,
  peek: (seq: Seq) => PendingInput | undefined,
): PendingInput[] {
  const rest: PendingInput[] = [];
  for (let input = peek(at.seq); input !== undefined; input = peek((input.seq as number) + 1)) {
    if (isOfTheWorld(input)) rest.push({ event: input.event, ns: input.ns as number });
  }
  const own: PendingInput[] = [];
  const { nsPerTick } = machine.state.config;
  for (const change of changes) {
    if (change.change === 'intervene') {
      const ns = machine.now() + change.after * nsPerTick;
      own.push({ event: interventionEvent(change.intervention), ...(change.after === 0 ? {} : { ns }) });
    } else if (change.change === 'type') {
      own.push({ event: serial(change.text), ns: machine.now() });
    } else {
      const next = rest.findIndex(({ event }) => event.kind === 'sim:serial_received');
      if (next < 0) throw new Problem('Nothing was typed after that mark: there is nothing to change.');
      const { ns = 0 } = rest[next] as PendingInput;
      rest.splice(next, 1, ...(change.text === '' ? [] : [{ event: serial(change.text), ns }]));
    }
  }
  const later = [...own, ...rest].sort((a, b) => (a.ns ?? 0) - (b.ns ?? 0));
  return [{ event: forkedFrom(run.path) }, ...later];
}

const serial = (text: string) =>
  ({ kind: 'sim:serial_received', line: 0, bytes: new TextEncoder().encode(text) }) as const;

function runOn(timeline: Timeline, ticks: number): Forked['why'] {
  for (;;) {
    const { why } = timeline.advance({ tick: ticks });
    if (why === 'ended' || why === 'idle') return why;
    if (timeline.now.tick >= ticks) return 'ticks';
  }
}
