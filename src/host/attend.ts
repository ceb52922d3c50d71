import { setImmediate } from 'node:timers/promises';
import { leave, type Work } from '../base/work.ts';
import { type Progress, progressOf } from './progress.ts';

/** Signals and keys are heard this often: a person takes up to a tenth of a second for at once. */
const BREATH_MS = 40;

const SILENT: Progress = { at: () => undefined, end: () => undefined };

/** What long work came to. */
export type Attended<T> =
  | { readonly isDone: true; readonly value: T }
  /** Somebody stopped it, this much of it done. */
  | { readonly isDone: false; readonly share: number | undefined };

/**
 * Do long work so that the process hears what is typed and signalled: somebody can see how far it is, and stop it.
 * `job`: what it is called; undefined: it shows itself where its progress would stand.
 */
export async function attend<T>(
  work: Work<T>,
  job: string | undefined,
  isStopped: () => boolean,
): Promise<Attended<T>> {
  const progress = job === undefined ? SILENT : progressOf(job);
  let heardAt = performance.now();
  let share: number | undefined;
  try {
    for (;;) {
      const { done, value } = work.next();
      if (done === true) return { isDone: true, value };
      share = value ?? share;
      if (performance.now() - heardAt < BREATH_MS) continue;
      progress.at(share);
      await setImmediate();
      heardAt = performance.now();
      if (!isStopped()) continue;
      for (const _ of leave(work));
      return { isDone: false, share };
    }
  } finally {
    progress.end();
  }
}
