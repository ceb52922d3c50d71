import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from '../../base/problem.ts';
import type { Checkpoint } from '../../machine/checkpoint.ts';
import type { PendingInput } from '../../machine/parts.ts';
import type { StoredCheckpoints } from '../../replay/timeline.ts';
import type { CheckpointIdentity } from '../../replay/trace/checkpoint-format.ts';
import { openCheckpoints } from '../../replay/trace/checkpoint-reader.ts';
import { createCheckpointWriter } from '../../replay/trace/checkpoint-writer.ts';
import { worldProblem } from '../../host/files.ts';
import { compress, fileSource, inflate } from '../../host/trace-file.ts';

/** Where the checkpoints of a trace lie: beside it, so that the recording itself is never touched again. */
export const checkpointPath = (trace: string): string => `${trace}.ckpt`;

/** Folders whose code cannot be seen in a checkpoint. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['debugger']);

let known: string | undefined;

/** A digest of the code of this program: what another build made may have another shape. */
export function programDigest(): string {
  known ??= digestOfCode();
  return known;
}

function digestOfCode(): string {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const hash = createHash('sha256');
  const folders = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (WITHOUT_EFFECT.has(name)) continue;
    const files = readdirSync(join(root, name), { recursive: true }) as string[];
    for (const file of files.filter((path) => /(?<!\.d)\.[jt]s$/.test(path)).sort()) {
      hash.update(file).update(readFileSync(join(root, name, file)));
    }
  }
  return hash.digest('hex');
}

const identityOf = (trace: string): CheckpointIdentity => ({
  trace: createHash('sha256').update(readFileSync(trace)).digest('hex'),
  program: programDigest(),
});

/** The checkpoints beside a trace; undefined when there are none of use, and `say` hears why. */
export function openStoredCheckpoints(trace: string, say: (sentence: string) => void): StoredCheckpoints | undefined {
  const path = checkpointPath(trace);
  if (!existsSync(path)) return undefined;
  try {
    const opened = openCheckpoints(fileSource(path), inflate, identityOf(trace), say);
    if (opened.problem !== undefined) say(opened.problem);
    return opened.stored;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    say(problem.message);
    return undefined;
  }
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
export function createCheckpointFile(trace: string, first: Checkpoint): CheckpointFile {
  const path = checkpointPath(trace);
  const partial = `${path}.part`;
  const attempt = <T>(what: () => T): T => {
    try {
      return what();
    } catch (error) {
      throw worldProblem('write the checkpoints', path, error);
    }
  };
  const file = attempt(() => openSync(partial, 'w'));
  const append = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; ) at += attempt(() => writeSync(file, bytes, at));
  };
  const writer = createCheckpointWriter({ append }, compress, first);
  return {
    add: (checkpoint) => writer.add(checkpoint),
    finish(inputs) {
      writer.close(identityOf(trace), inputs);
      closeSync(file);
      attempt(() => renameSync(partial, path));
    },
    abandon() {
      closeSync(file);
      rmSync(partial, { force: true });
    },
  };
}

/** Stored checkpoints per doubling of the run, about: their number grows with its logarithm. */
const PER_DOUBLING = 128;

/** Ticks from one stored checkpoint to the next. */
export const strideAt = (tick: number, every: number): number =>
  Math.max(every, 2 ** Math.floor(Math.log2(Math.max(1, tick / PER_DOUBLING))));
