import { Problem } from '../../base/problem.ts';
import type { Work } from '../../base/work.ts';
import { takeCheckpoint } from '../../machine/checkpoint.ts';
import { createMachine } from '../../machine/machine.ts';
import { describeDivergence } from '../../replay/divergence.ts';
import { TICKS_BETWEEN } from '../../replay/timeline.ts';
import { traceInputs } from '../../replay/trace/trace-inputs.ts';
import { createVerifier, inputsAgain } from '../../replay/verify.ts';
import { assemble } from '../machine/assemble.ts';
import type { RecordedRun } from './recorded-run.ts';
import { createCheckpointFile, strideAt } from './stored-checkpoints.ts';

/** What an index came to. */
export interface Indexed {
  readonly checkpoints: number;
}

/** Ticks run between two looks at whether somebody wants to stop. */
const PIECE = 1 << 16;

/**
 * Replay a recorded run once, compare every event, and leave checkpoints beside the trace. A run that does not come out
 * as recorded gets none, nor does one that is left on the way.
 */
export function* indexTrace(run: RecordedRun, every: number = TICKS_BETWEEN): Work<Indexed> {
  const { events } = run.read;
  const inputs = traceInputs(run.trace, events.length, run.description);
  const verifier = createVerifier(events);
  const machine = createMachine(assemble({ ...run, inputs: inputsAgain(inputs), onEvent: verifier.check }));
  const last = events[events.length - 1]!.tick;
  let latest = takeCheckpoint(machine);
  const file = createCheckpointFile(run.world, run.path, latest);
  let checkpoints = 0;
  let isWhole = false;
  try {
    for (;;) {
      const stop = latest.tick + strideAt(latest.tick, every);
      for (let tick = latest.tick; tick < Math.min(stop, last); ) {
        tick = Math.min(tick + PIECE, stop, last);
        machine.advance({ tick });
        yield tick / last;
      }
      if (verifier.divergence !== undefined) throw new Problem(describeDivergence(verifier.divergence));
      if (stop >= last || machine.ticks < stop) break;
      latest = takeCheckpoint(machine, latest);
      file.add(latest);
      checkpoints += 1;
    }
    file.finish(inputs);
    isWhole = true;
  } finally {
    if (!isWhole) file.abandon();
  }
  return { checkpoints };
}
