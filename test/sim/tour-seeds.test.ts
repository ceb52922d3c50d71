import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runOptions } from '../../src/debugger/cli/run-arguments.ts';
import { openSession } from '../../src/host/open-session.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { retrovisor, scratchFolder } from '../guests/command-line.ts';
import { casesOf } from '../how-long.ts';

/** 1,000 with RETROVISOR_SEEDS=1000; others with another RETROVISOR_SEED. */
const RUNS = casesOf('RETROVISOR_SEEDS', { whole: 6, quick: 1 });
const BATCH = 30;
const CPUS = [2, 1, 4];
const SLICE_MS = 1000;
const folder = scratchFolder();

/** Our own guest from power-on to its end. */
function record(trace: string, seed: string, cpus: number): void {
  const options = ['-smp', `${cpus}`, '--seed', seed, '--wall-clock', '1700000000', '--trace', trace];
  const session = openSession(runOptions(options), { serial: () => undefined, debugcon: () => undefined });
  let pause = session.run(SLICE_MS, false);
  while (pause.pause === 'slice') pause = session.run(SLICE_MS, false);
  session.close();
  expect(pause).toMatchObject({ pause: 'ended' });
}

test(`${RUNS} runs of our guest with random seeds, on 2, 1 and 4 processors in turn, replay in another process`, () => {
  const from = process.env['RETROVISOR_SEED'] ?? 'seeds';
  let events = 0;
  for (let done = 0; done < RUNS; done += BATCH) {
    const traces = Array.from({ length: Math.min(BATCH, RUNS - done) }, (_, at) => {
      const trace = join(folder, `${done + at}.trace`);
      record(trace, `${CHANCE.int32(from, 'tour', done + at + 1)}`, CPUS[at % CPUS.length]);
      return trace;
    });
    const { out, status } = retrovisor(['verify', ...traces]);
    expect(out).toContain(`${traces.length} of ${traces.length} traces equal`);
    expect(status).toBe(0);
    events += Number(/\((\d+) events\)/.exec(out)?.[1]);
    for (const trace of traces) rmSync(trace);
    process.stdout.write(`${done + traces.length} runs, ${events} events, 0 divergences\n`);
  }
});
