import { expect, test } from 'vitest';
import { MOST_MEMBERS } from '../../../src/runs/fabric/manifest.ts';
import { eventOf, keyOf } from '../../../src/runs/fabric/passages.ts';

test('every event of as many machines and bridges as a run can have has a number of its own', () => {
  const all = [0, 1, 1_000_000].flatMap((seq) =>
    Array.from({ length: MOST_MEMBERS }, (_, machine) => ({ machine, seq })),
  );
  expect(new Set(all.map(keyOf)).size).toBe(all.length);
  expect(all.map((each) => eventOf(keyOf(each)))).toEqual(all);
});
