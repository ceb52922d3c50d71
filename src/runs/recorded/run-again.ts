import { digestOf } from '../../base/digest.ts';
import type { Tick } from '../../base/units.ts';
import { createMachine, type Machine } from '../../machine/machine.ts';
import { describeDivergence } from '../../replay/divergence.ts';
import { rerun as rerunEvents } from '../../replay/rerun.ts';
import { Told } from '../../replay/streams/told.ts';
import { kindsUpTo, type TraceReader } from '../../replay/trace/reader.ts';
import { traceInputs } from '../../replay/trace/trace-inputs.ts';
import { createVerifier, inputsAgain, type Replayed, replaySteps } from '../../replay/verify.ts';
import { assemble } from '../machine/assemble.ts';
import type { World } from '../world.ts';
import type { ImagePaths } from '../machine/images.ts';
import { openRecordedRun, openRunWithoutImages, type RecordedRun, type RunAccess } from './recorded-run.ts';

/** What running a recorded run again came to. */
export interface RanAgain {
  /** Events in what can be read of the trace. */
  readonly events: number;
  /** Events that came out as recorded, up to the first that did not. */
  readonly agreed: number;
  /** Digests of state and memory among the events. */
  readonly digests: number;
  /** Tick of the last event. */
  readonly tick: Tick;
  /** Of the state at the end, and where there is any of guest memory. */
  readonly digest: string;
  /** The first event that came out otherwise, as text. */
  readonly divergence: string | undefined;
  /** Why the trace ends early, if it does. */
  readonly damage: string | undefined;
  /** That its recorder did not end, whether that is accepted or not. */
  readonly cut: string | undefined;
}

/** How a trace is run again. */
export interface RunAgainOptions {
  /** Where the images are, if no longer where they were. */
  readonly images?: ImagePaths;
  /** Take what there is of a trace whose recorder did not end for the whole. */
  readonly acceptCut?: boolean;
}

const accessOf = ({ images, acceptCut = false }: RunAgainOptions): RunAccess => ({ ...images, acceptCut });

/**
 * Run a trace again, processor and all, and compare every event with the recorded one. Rejects with a Problem when the
 * trace or an image cannot be read.
 */
export async function replay(world: World, path: string, options: RunAgainOptions = {}): Promise<RanAgain> {
  return replayRun(openRecordedRun(world, path, accessOf(options)), new Told());
}

/** The same for readers of what is told. `onPiece` is called now and then: what it throws ends the replay. */
export async function replayRun(
  run: RecordedRun,
  told: Told,
  onPiece: () => void = () => undefined,
): Promise<RanAgain> {
  try {
    return await ranThrough(run, told, onPiece);
  } finally {
    run.trace.close();
  }
}

async function ranThrough(run: RecordedRun, told: Told, onPiece: () => void): Promise<RanAgain> {
  const { events } = run.read;
  const verifier = createVerifier(events);
  told.events$.subscribe((stamped) => verifier.check(stamped));
  const inputs = inputsAgain(traceInputs(run.trace, events.length, run.description));
  const machine = createMachine(assemble({ ...run, inputs, onEvent: told.hear }));
  const steps = replaySteps(machine, events, verifier);
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) {
    onPiece();
    await run.world.othersTurn();
  }
  told.end();
  return ranAgain(run, step.value, digestOf(machine.state) + machine.pages.digest());
}

/**
 * Run hypervisor and devices of a trace again on the processor's recorded answers, and compare every event. No image is
 * needed.
 */
export async function rerun(world: World, path: string, options: RunAgainOptions = {}): Promise<RanAgain> {
  const run = openRunWithoutImages(world, path, accessOf(options));
  try {
    const build = (tape: Parameters<Parameters<typeof rerunEvents>[1]>[0]): Machine =>
      createMachine(assemble({ ...run, ...tape }));
    const { machine, ...replayed } = rerunEvents(run.read.events, build, run.description);
    return ranAgain(run, replayed, machine === undefined ? '' : digestOf(machine.state));
  } finally {
    run.trace.close();
  }
}

function ranAgain({ trace, read }: RecordedRun, { agreed, divergence }: Replayed, digest: string): RanAgain {
  const { events, damage } = read;
  const digests = digestsUpTo(trace, events.length);
  const tick = events[events.length - 1]?.tick ?? 0;
  const sentence = divergence === undefined ? undefined : describeDivergence(divergence);
  return { events: events.length, agreed, digests, tick, digest, divergence: sentence, damage, cut: trace.cut };
}

/** Digests among the first `length` events. */
function digestsUpTo(trace: TraceReader, length: number): number {
  const isDigest = Object.keys(trace.header.vocabulary).map(
    (kind) => kind === 'sim:digest' || kind === 'sim:memory_digest',
  );
  let digests = 0;
  for (const [, places] of kindsUpTo(trace, length)) for (const place of places) if (isDigest[place]) digests += 1;
  return digests;
}
