import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import { NODE } from '../../src/host/node.ts';
import { createMachine } from '../../src/machine/machine.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { traceInputs } from '../../src/replay/trace/trace-inputs.ts';
import { createVerifier, inputsAgain, replaySteps } from '../../src/replay/verify.ts';
import { assemble } from '../../src/runs/machine/assemble.ts';
import { diskRole } from '../../src/runs/machine/disks.ts';
import { openRecordedRun } from '../../src/runs/recorded/recorded-run.ts';
import { Conservation, type Conserved, originalsOf } from '../oracle/conservation/conservation.ts';

/**
 * A recorded run comes out as recorded, and at every event its virtio devices have lost nothing and made nothing up.
 * The images are as they were when it began. Resolves to what was looked at.
 */
export async function expectConserves(trace: string): Promise<Conserved> {
  const run = openRecordedRun(NODE, trace, {});
  const { drives = [], paths } = run.description;
  const { events } = run.read;
  const verifier = createVerifier(events);
  const inputs = inputsAgain(traceInputs(run.trace, events.length, run.description));
  // Nothing is asked of a drive before the machine is there.
  let conservation: Conservation | undefined;
  const machine = createMachine(
    assemble({
      ...{ ...run, inputs },
      onEvent(stamped) {
        verifier.check(stamped);
        conservation?.next(stamped);
      },
    }),
  );
  conservation = new Conservation(machine, originalsOf(new Map(drives.map(({ id }) => [id, paths[diskRole(id)]!]))));
  for (const _ of replaySteps(machine, events, verifier)) await setImmediate();
  const { agreed, divergence } = verifier;
  expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
  expect(agreed).toBe(events.length);
  run.trace.close();
  conservation.checkDrives();
  expect(conservation.result.violations).toEqual([]);
  return conservation.result;
}
