import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { retrovisor, scratchFolder } from '../../guests/command-line.ts';
import { without } from '../../stepping-aside.ts';
import { randomWalk } from './random-walk.ts';
import { NO_GDB, serve } from './stock-gdb.ts';

/** 20,000 with RETROVISOR_WALK=20000. */
const STEPS = Number(process.env['RETROVISOR_WALK'] ?? 1000);
const folder = scratchFolder();
const MINUTES = 30 * 60_000;

describe('a random walk through stock gdb', without(NO_GDB), () => {
  test.each([
    ['one processor', 'tour.trace', []],
    ['two processors', 'tour2.trace', ['-smp', '2']],
  ])(
    'meets the registers and the digest it met before, with %s, and is never stuck',
    async (_, name, options) => {
      const trace = join(folder, name);
      retrovisor(['run', '--trace', trace, ...options]);
      const served = await serve(trace);
      try {
        const starts = ['begin', '10%', '50%', '90%', 'end'];
        const walked = await randomWalk(served, folder, { starts, steps: STEPS, seed: 7 });
        expect(walked).toMatchObject({ mismatches: 0, stuck: 0 });
        expect(walked.steps).toBe(STEPS);
        expect(walked.revisits).toBeGreaterThan(STEPS / 3);
      } finally {
        served.stop();
      }
    },
    MINUTES,
  );
});
