import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openTrace, replay, rerun } from '../../src/host/index.ts';
import { configurationOf } from '../../src/host/machine-description.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { fold } from '../../src/replay/fold.ts';
import { CHANCE } from '../../src/replay/sources/random.ts';
import { inOrder } from '../../src/replay/trace/in-order.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { casesOf, IS_WHOLE } from '../how-long.ts';
import { recordStorm } from './storm/record.ts';

/** More with RETROVISOR_SEEDS; others with another RETROVISOR_SEED. */
const STORMS = casesOf('RETROVISOR_SEEDS', { whole: 6, quick: 1 });
const RECIPES = IS_WHOLE ? 1500 : 300;
const CPUS = [1, 3];
const folder = scratchFolder();
const name = (n: number): string => `${CHANCE.int32(process.env['RETROVISOR_SEED'] ?? 'storms', 'storm', n) >>> 0}`;
const storms = Array.from({ length: STORMS }, (_, n) => ({ seed: name(n), cpus: CPUS[n % CPUS.length] as number }));

test.each(storms)(
  'a storm over the registers of every device ($seed, -smp $cpus) folds, replays and runs again as recorded',
  async ({ seed, cpus }) => {
    const { trace, events, why } = recordStorm({ seed, cpus, recipes: RECIPES, folder });
    expect(why).toBe('powered-off');
    const described = openTrace(trace);
    const { machine } = described.describe();
    described.close();
    const folded = fold(inOrder(openTraceFile(trace)), configurationOf(machine));
    expect(folded.difference).toBeUndefined();
    expect(folded.events).toBe(events);
    expect(folded.digests).toBeGreaterThanOrEqual(Math.floor(events / 2000));
    const again = [await replay(trace), await rerun(trace)];
    expect(again.map(({ agreed, divergence }) => ({ agreed, divergence }))).toEqual(
      again.map(() => ({ agreed: events, divergence: undefined })),
    );
    rmSync(trace);
    process.stdout.write(`storm ${seed}, -smp ${cpus}: ${events} events folded, replayed and run again\n`);
  },
);
