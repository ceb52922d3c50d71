import { describe, expect, test } from 'vitest';
import { Feed } from '../../src/cli/feed.ts';

/** A port that takes a few bytes at each look. */
function port() {
  const state = { waiting: 0, typed: 0, most: 0 };
  const session = {
    waiting: () => state.waiting,
    type(_at: unknown, bytes: Uint8Array) {
      state.waiting += bytes.length;
      state.typed += bytes.length;
      state.most = Math.max(state.most, state.waiting);
    },
  };
  return { state, session };
}

describe('what comes from outside', () => {
  test('is typed only as far as the guest takes it, and asked for no further than that', () => {
    const { state, session } = port();
    const feed = new Feed(0);
    let read = 0;
    for (let look = 0; look < 200; look += 1) {
      if (!feed.isFull) {
        feed.add(new Uint8Array(1 << 16));
        read += 1 << 16;
      }
      feed.pass(session);
      state.waiting = Math.max(0, state.waiting - 16);
    }
    expect(state.most).toBeLessThanOrEqual(256);
    expect(read).toBeLessThanOrEqual(2 << 16);
    expect(state.typed).toBeGreaterThan(3200);
  });

  test('arrives whole and in order', () => {
    const typed: Uint8Array[] = [];
    const feed = new Feed(0);
    const sent = Uint8Array.from({ length: 20_000 }, (_, at) => at & 0xff);
    for (let at = 0; at < sent.length; at += 777) feed.add(sent.subarray(at, at + 777));
    const session = { waiting: () => 200, type: (_at: unknown, bytes: Uint8Array) => void typed.push(bytes) };
    while (!feed.isEmpty) feed.pass(session);
    expect(Buffer.concat(typed).equals(sent)).toBe(true);
  });
});
