import { join } from 'node:path';
import { expect, test } from 'vitest';
import { retrovisor } from '../guests/command-line.ts';

const TOUR = join(import.meta.dirname, '../../traces/tour.trace');

test('a trace replays with either tier', () => {
  const handled = retrovisor(['replay', TOUR]);
  expect(handled).toMatchObject({ status: 0, out: expect.stringContaining(' 0 divergences') });
  for (const tier of [['--tier', 'translated,threshold=2,batch=1'], ['--tier=handlers']]) {
    expect(retrovisor(['replay', ...tier, TOUR])).toEqual(handled);
  }
});

test.each([
  ['fast', '--tier fast: there are the tiers handlers and translated[,threshold=N][,batch=N][,limit=N].'],
  ['translated,size=3', '--tier translated,size=3: translated takes threshold=, batch= and limit=, not size=3.'],
  ['translated,threshold=0', '--tier translated,threshold=0: threshold is a number from 1 to 65535.'],
  ['translated,batch=x', '--tier translated,batch=x: batch is a number from 1 to 256.'],
])('--tier %s is refused', (tier, sentence) => {
  expect(retrovisor(['replay', '--tier', tier, TOUR])).toMatchObject({ status: 2, err: `retrovisor: ${sentence}\n` });
});
