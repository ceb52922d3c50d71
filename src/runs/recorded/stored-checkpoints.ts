import { Problem } from '../../base/problem.ts';
import type { Tick } from '../../base/units.ts';
import type { Checkpoint } from '../../machine/checkpoint.ts';
import type { PendingInput } from '../../machine/parts.ts';
import type { CheckpointIdentity } from '../../replay/trace/checkpoint-format.ts';
import { openCheckpoints, type StoredCheckpoints } from '../../replay/trace/checkpoint-reader.ts';
import { createCheckpointWriter } from '../../replay/trace/checkpoint-writer.ts';
import type { OpenedFile, World } from '../world.ts';

/** Where the checkpoints of a trace lie: beside it, so that the recording itself is never touched again. */
export const checkpointPath = (trace: string): string => `${trace}.ckpt`;

function identityOf(world: World, trace: string): CheckpointIdentity {
  const file = world.files.open(trace);
  try {
    return { trace: world.sha256(file.read(0, file.size)), program: world.programDigest() };
  } finally {
    file.close();
  }
}

/** Checkpoints of a file that stays open while they are of use. */
export interface OpenedCheckpointFile extends StoredCheckpoints {
  close(): void;
}

/** The checkpoints beside a trace; undefined when there are none of use, and `say` hears why. */
export function openStoredCheckpoints(
  world: World,
  trace: string,
  say: (sentence: string) => void,
): OpenedCheckpointFile | undefined {
  let source: OpenedFile | undefined;
  try {
    source = world.files.openCheckpoints(trace);
    if (source === undefined) return undefined;
    const { stored, problem } = openCheckpoints(source, world.inflate, identityOf(world, trace), say);
    if (stored !== undefined) return { ...stored, close: source.close };
    say(problem);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    say(problem.message);
  }
  source?.close();
  return undefined;
}

/** A file of checkpoints being written. It takes its name only when it is whole. */
export interface CheckpointFile {
  add(checkpoint: Checkpoint): void;
  /** Everything is written; the trace stands. */
  finish(inputs: readonly PendingInput[]): void;
  /** Leave nothing behind. */
  abandon(): void;
}

/** Start writing the checkpoints of a trace. */
export function createCheckpointFile(world: World, trace: string, first: Checkpoint): CheckpointFile {
  const file = world.files.createWhole(checkpointPath(trace), 'checkpoints');
  const writer = createCheckpointWriter(file, world.compress, first);
  return {
    add: (checkpoint) => writer.add(checkpoint),
    finish(inputs) {
      writer.close(identityOf(world, trace), inputs);
      file.close();
    },
    abandon: () => file.drop(),
  };
}

/** Stored checkpoints per doubling of the run, about: their number grows with its logarithm. */
const PER_DOUBLING = 128;

/** Ticks from one stored checkpoint to the next. */
export const strideAt = (tick: Tick, every: number): number =>
  Math.max(every, 2 ** Math.floor(Math.log2(Math.max(1, tick / PER_DOUBLING))));
