import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { replay, rerun } from '../../src/api/index.ts';
import { configurationOf, readDescription } from '../../src/runs/machine/machine-description.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { powerOn } from '../../src/reducers/power-on.ts';
import { differenceOf } from '../../src/reducers/seal.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { fold, type Folded } from '../../src/replay/fold.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { inOrder } from '../../src/replay/trace/in-order.ts';
import { createVerifier } from '../../src/replay/verify.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { casesOf, IS_WHOLE } from '../how-long.ts';
import { amiss } from './storm/ownership.ts';
import { recordStorm } from './storm/record.ts';
import { recordCalls, stormOfCalls } from './storm/record-calls.ts';

/** More with RETROVISOR_STORMS; others with another RETROVISOR_SEED. */
const STORMS = casesOf('RETROVISOR_STORMS', { whole: 2, quick: 1 });
const RECIPES = IS_WHOLE ? 1500 : 150;
const CPUS = [1, 3];
const folder = scratchFolder();
const name = (n: number): string => `${CHANCE.int32(process.env['RETROVISOR_SEED'] ?? 'storms', 'storm', n) >>> 0}`;
const storms = Array.from({ length: STORMS }, (_, n) => ({ seed: name(n), cpus: CPUS[n % CPUS.length] as number }));

function foldOf(trace: string): Folded {
  const file = openTraceFile(trace);
  return fold(inOrder(file), configurationOf(readDescription(file.header.machine, trace)));
}

/** What is wrong with the immutable states, or with whose state each event changes. */
function amissIn(trace: string): string | undefined {
  const file = openTraceFile(trace);
  return amiss(powerOn(configurationOf(readDescription(file.header.machine, trace))), inOrder(file));
}

test.each(storms)(
  'a storm over the registers of every device ($seed, -smp $cpus) folds, replays and runs again as recorded',
  async ({ seed, cpus }) => {
    const { trace, events, why } = recordStorm({ seed, cpus, recipes: RECIPES, folder });
    expect(why).toBe('powered-off');
    const folded = foldOf(trace);
    expect(folded.difference).toBeUndefined();
    expect(folded.events).toBe(events);
    expect(folded.digests).toBeGreaterThanOrEqual(Math.floor(events / 50));
    expect(amissIn(trace)).toBeUndefined();
    const again = [await replay(trace), await rerun(trace)];
    expect(again.map(({ agreed, divergence }) => ({ agreed, divergence }))).toEqual(
      again.map(() => ({ agreed: events, divergence: undefined })),
    );
    rmSync(trace);
    process.stdout.write(`storm ${seed}, -smp ${cpus}: ${events} events folded, replayed and run again\n`);
  },
);

const VISITS = IS_WHOLE ? 4000 : 200;
const calls = storms.flatMap(({ seed, cpus }) => [true, false].map((irqchip) => ({ seed, cpus, irqchip })));

test.each(calls)(
  'a monitor that calls all KVM offers ($seed, -smp $cpus, controllers in the kernel: $irqchip) leads where facts do',
  ({ seed, cpus, irqchip }) => {
    const storm = { seed, cpus, irqchip, visits: VISITS };
    const trace = join(folder, `calls-${seed}-${irqchip}.trace`);
    const live = recordCalls(storm, trace);
    const { difference, events, state } = foldOf(trace);
    expect(difference).toBeUndefined();
    expect(events).toBe(live.seq);
    expect(differenceOf(state, live.state)).toBeUndefined();
    expect(amissIn(trace)).toBeUndefined();
    const verifier = createVerifier([...inOrder(openTraceFile(trace))]);
    stormOfCalls(storm, verifier.check);
    expect(verifier.divergence === undefined ? '' : describeDivergence(verifier.divergence)).toBe('');
    rmSync(trace);
    process.stdout.write(`calls ${seed}, -smp ${cpus}: ${events} events folded and made again\n`);
  },
);
