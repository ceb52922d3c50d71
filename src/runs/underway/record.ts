import { latin1 } from '../../base/bytes.ts';
import { Problem } from '../../base/problem.ts';
import { openPrepared, type RunEnd } from './open-run.ts';
import { prepared } from './prepare.ts';
import type { RunOptions } from '../machine/run-options.ts';
import type { World } from '../world.ts';

/** A run recorded from its first event to its last. */
export interface Recorded extends RunEnd {
  /** Where it was recorded. */
  readonly trace: string;
  /** What the guest printed on its first serial line, a byte a character. */
  readonly console: string;
}

/** Run a guest to its end, recorded. Rejects with a Problem when it cannot be run, or not be recorded. */
export async function record(world: World, options: RunOptions): Promise<Recorded> {
  const { trace } = options;
  if (trace === undefined) throw new Problem('Say where to record: `trace` is the path of the new trace.');
  const run = openPrepared(prepared(world, options));
  const printed: number[] = [];
  run.events$.subscribe({
    next({ event }) {
      if (event.kind === 'sim:serial_sent' && event.line === 0) printed.push(event.byte);
    },
    // `ended` rejects with it.
    error: () => undefined,
  });
  const end = await run.ended();
  return { ...end, trace, console: latin1(printed) };
}
