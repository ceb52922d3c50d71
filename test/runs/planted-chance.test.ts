import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { assemble } from '../../src/runs/machine/assemble.ts';
import { NODE } from '../../src/host/node.ts';
import { openRecordedRun, type RecordedRun } from '../../src/runs/recorded/recorded-run.ts';
import { createMachine } from '../../src/machine/machine.ts';
import type { Engine, MachineParts } from '../../src/machine/parts.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { createVerifier, recordedInputs, replayTo } from '../../src/replay/verify.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';

const folder = traceFolder();
let run: RecordedRun;

beforeAll(() => {
  const trace = join(folder, 'tour.trace');
  recordTour(trace);
  run = openRecordedRun(NODE, trace, {});
});

/** Replay with a processor somebody made unreliable, and the digests that often. */
function replayWith(plant: (engine: Engine) => void) {
  const { events } = run.read;
  const verifier = createVerifier(events);
  const parts = assemble({ ...run, inputs: recordedInputs(events), onEvent: verifier.check });
  const engine: MachineParts['engine'] = (time) => {
    const made = parts.engine(time);
    plant(made);
    return made;
  };
  return replayTo(createMachine({ ...parts, engine }), events, verifier);
}

describe('a replay', () => {
  test('that nothing was planted in agrees to the end', () => {
    expect(replayWith(() => undefined).divergence).toBeUndefined();
  });

  test('names the field when one operand of one exit depends on chance', () => {
    const { divergence } = replayWith((engine) => {
      const { run: original } = engine;
      let outs = 0;
      engine.run = (...entry) => {
        const stop = original.apply(engine, entry);
        const isOut = stop.why === 'exit' && stop.exit.reason === 30 && (stop.exit.qualification & 8n) === 0n;
        outs += isOut ? 1 : 0;
        return isOut && outs === 40 ? { ...stop, a0: stop.a0 ^ 1n } : stop;
      };
    });
    expect(divergence?.recordedEvent?.event.kind).toBe('kvm_exit');
    expect(divergence?.field).toBe('event.a0');
    expect(describeDivergence(divergence!)).toMatch(/differs from the trace at event \d+, tick \d+, in event\.a0/);
  });

  test('names the tick when one run is an instruction too long', () => {
    const { divergence } = replayWith((engine) => {
      const { run: original } = engine;
      let runs = 0;
      engine.run = (...entry) => {
        const stop = original.apply(engine, entry);
        runs += 1;
        return runs === 100 ? { ...stop, ticks: stop.ticks + 1 } : stop;
      };
    });
    expect(divergence?.field).toBe('tick');
  });
});
