import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { scratchFolder } from '../guests/command-line.ts';
import { casesOf, firstOf, LONG } from '../how-long.ts';
import { recordRun } from '../debugger/recorded-tour.ts';
import { without } from '../stepping-aside.ts';
import { randomWalk } from './random-walk.ts';
import { NO_PYTHON_IN_GDB, serveHere } from './stock-gdb.ts';

/** 20,000 with RETROVISOR_WALK=20000. */
const STEPS = casesOf('RETROVISOR_WALK', { whole: 1000, quick: 150 });
const folder = scratchFolder();
const MINUTES = 30 * 60_000;

describe('a random walk through stock gdb', without(NO_PYTHON_IN_GDB), () => {
  const RUNS: readonly (readonly [string, string, readonly string[]])[] = [
    ['one processor', 'tour.trace', []],
    ['two processors', 'tour2.trace', ['-smp', '2']],
  ];
  test.each(firstOf(1, RUNS))(
    'meets the registers and the digest it met before, with %s, and is never stuck',
    { ...LONG, timeout: MINUTES },
    async (_, name, options) => {
      const trace = join(folder, name);
      recordRun(['--trace', trace, ...options]);
      const served = await serveHere(trace);
      try {
        const starts = ['begin', '10%', '50%', '90%', 'end'];
        const walked = await randomWalk(served, folder, { starts, steps: STEPS, seed: 7 });
        expect(walked).toMatchObject({ mismatches: 0, stuck: 0 });
        expect(walked.steps).toBe(STEPS);
        expect(walked.revisits).toBeGreaterThan(STEPS / 10);
      } finally {
        served.stop();
      }
    },
  );
});
