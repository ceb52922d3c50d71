import { describe, expect, test } from 'vitest';
import { asPart, finish, leave, type Work } from '../../src/base/work.ts';
import { attend } from '../../src/host/attend.ts';
import { progressText } from '../../src/host/progress.ts';

/** Work that never ends, until it is left: then it takes one more piece to put things back. */
function* endless(put: { back: boolean }): Work<string> {
  try {
    for (let done = 0; ; done += 1) yield done / (done + 1);
  } finally {
    yield undefined;
    put.back = true;
  }
}

function* counted(pieces: number): Work<number> {
  for (let done = 1; done <= pieces; done += 1) yield done / pieces;
  return pieces;
}

const sharesOf = (work: Work<unknown>): (number | undefined)[] => {
  const shares: (number | undefined)[] = [];
  for (let step = work.next(); step.done !== true; step = work.next()) shares.push(step.value);
  return shares;
};

describe('long work', () => {
  test('is done to its end when nobody stops it', async () => {
    expect(await attend(counted(5), 'counting', () => false)).toEqual({ isDone: true, value: 5 });
    expect(finish(counted(5))).toBe(5);
  });

  test('hears a timer of the same process, is stopped by it, and has put everything back then', async () => {
    const put = { back: false };
    let isAsked = false;
    setTimeout(() => {
      isAsked = true;
    }, 1);
    const answer = await attend(endless(put), 'for ever', () => isAsked);
    expect(answer).toMatchObject({ isDone: false, share: expect.any(Number) });
    expect(put.back).toBe(true);
  });

  test('tells its share of something longer, and is left with it', () => {
    expect(sharesOf(asPart(counted(4), 0.5, 1))).toEqual([0.625, 0.75, 0.875, 1]);
    const put = { back: false };
    const work = asPart(endless(put), 0, 0.5);
    expect([work.next().value, work.next().value]).toEqual([0, 0.25]);
    expect(sharesOf(leave(work))).toEqual([undefined]);
    expect(put.back).toBe(true);
  });
});

test.each([
  [0.25, 10_000, 'at 60%: 25 %, 30 s left'],
  [0.5, 2_100, 'at 60%: 50 %, 3 s left'],
  [0.01, 3_000, 'at 60%: 1 %, 5 min left'],
  [undefined, 3_000, 'at 60%: 3 s'],
  [0, 4_000, 'at 60%: 4 s'],
])('a share of %s after %i ms is told as %s', (share, spent, text) => {
  expect(progressText('at 60%', share, spent)).toBe(text);
});
