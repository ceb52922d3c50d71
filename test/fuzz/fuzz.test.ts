import { expect, test } from 'vitest';
import { scratchFolder } from '../guests/command-line.ts';
import { casesOf } from '../how-long.ts';
import { tryCase } from './judge.ts';
import { makeSamples } from './samples.ts';

/** More of them, and by processes of their own: `npx tsx scripts/fuzz.ts`. */
const COUNT = casesOf('RETROVISOR_FUZZ', { whole: 2000, quick: 40 });
const FROM = process.env['RETROVISOR_SEED'] ?? 'fuzz';

/** What once did: forged checkpoints that stand still, whose timers never come to an end. */
const MENDED = ['2026 1541', '3011 29646'];

const folder = scratchFolder();

test.each(MENDED)('what once did harm does none: %s', { timeout: 60_000 }, async (seed) => {
  expect(await tryCase(makeSamples(folder), seed)).toMatchObject({ came: expect.not.stringContaining('broken') });
});

test(`no file does harm, whoever wrote it: ${COUNT} cases from ${FROM}`, {
  timeout: 60_000 + COUNT * 1000,
}, async () => {
  const samples = makeSamples(folder);
  const came = new Map<string, number>();
  const broken: string[] = [];
  for (let at = 0; at < COUNT; at += 1) {
    const outcome = await tryCase(samples, `${FROM} ${at}`);
    came.set(outcome.came, (came.get(outcome.came) ?? 0) + 1);
    if (outcome.came === 'broken') broken.push(`${outcome.how}: ${outcome.why}`);
  }
  expect(broken).toEqual([]);
  expect([...came.keys()].sort()).toEqual(['read', 'refused']);
});
