import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { configurationOf, readDescription } from '../../src/runs/machine/machine-description.ts';
import { NODE } from '../../src/host/node.ts';
import { openSession } from '../../src/runs/underway/open-session.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { fold } from '../../src/replay/fold.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { inOrder } from '../../src/replay/trace/in-order.ts';
import { retrovisor, scratchFolder } from '../guests/command-line.ts';
import { casesOf } from '../how-long.ts';

/** 1,000 with RETROVISOR_SEEDS=1000; others with another RETROVISOR_SEED. */
const RUNS = casesOf('RETROVISOR_SEEDS', { whole: 6, quick: 1 });
const BATCH = 30;
const CPUS = [2, 1, 4];
const SLICE_MS = 1000;
const MINUTES = 60_000;
const folder = scratchFolder();

/** Our own guest from power-on to its end. Returns the digest of the state it ends in. */
function record(trace: string, seed: string, cpus: number): string {
  const options = ['-smp', `${cpus}`, '--seed', seed, '--wall-clock', '1700000000', '--trace', trace];
  const session = openSession(NODE, runOptions(options), { serial: () => undefined, character: () => undefined });
  let pause = session.run(SLICE_MS, false);
  while (pause.pause === 'slice') pause = session.run(SLICE_MS, false);
  session.close();
  expect(pause).toMatchObject({ pause: 'ended' });
  return digestOf(session.state());
}

/** The digest of the state that follows from the events alone. */
function folded(trace: string): string {
  const file = openTraceFile(trace);
  const made = configurationOf(readDescription(file.header.machine, trace));
  const { state, difference, damage } = fold(inOrder(file), made);
  file.close();
  expect({ difference, damage }).toEqual({});
  return digestOf(state);
}

const NAME = `${RUNS} seeds of our guest on 2, 1 and 4 processors end alike recorded, folded and replayed elsewhere`;

test(NAME, { timeout: 10 * MINUTES + RUNS * MINUTES }, () => {
  const from = process.env['RETROVISOR_SEED'] ?? 'seeds';
  let events = 0;
  for (let done = 0; done < RUNS; done += BATCH) {
    const traces = Array.from({ length: Math.min(BATCH, RUNS - done) }, (_, at) => join(folder, `${done + at}.trace`));
    const ends = traces.map((trace, at) =>
      record(trace, `${CHANCE.int32(from, 'tour', done + at + 1)}`, CPUS[at % CPUS.length]!),
    );
    traces.forEach((trace, at) => {
      const end = ends[at] as string;
      expect(folded(trace), `${trace}: the state that follows from the events`).toBe(end);
      const { out, status } = retrovisor(['replay', trace]);
      expect(out).toContain('0 divergences');
      expect(status).toBe(0);
      // Its digest is of the state, and of memory.
      expect(out).toContain(`digest ${end}`);
      events += Number(/^(\d+) events/.exec(out)?.[1]);
      rmSync(trace);
    });
    process.stdout.write(`${done + traces.length} runs, ${events} events, 0 divergences\n`);
  }
});
