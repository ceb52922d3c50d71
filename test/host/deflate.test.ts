import { inflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { deflateRaw } from '../../src/host/deflate.ts';

/** Bytes by chance, always the same. */
function drawn(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

const text = (length: number): Uint8Array =>
  new TextEncoder().encode('a line of text, and another\n'.repeat(length)).subarray(0, length);

const joined = (...pieces: readonly Uint8Array[]): Uint8Array => Uint8Array.from(pieces.flatMap((piece) => [...piece]));

test.each([
  ['nothing', new Uint8Array(0)],
  ['little', drawn(1000)],
  ['text', text(300_000)],
  ['chance', drawn(300_000)],
  ['chance among text', joined(text(100_001), drawn(200_003), text(77_777), drawn(70_000), text(5))],
  ['chance at the end', joined(text(100_001), drawn(200_003))],
])('%s comes back as it was', (_, bytes) => {
  expect(Buffer.compare(inflateRawSync(deflateRaw(bytes)), bytes)).toBe(0);
});

test('what does not become shorter is stored, and all else deflated', () => {
  const [chance, words] = [drawn(200_000), text(200_000)];
  expect(deflateRaw(chance).length).toBeLessThan(chance.length + 100);
  expect(deflateRaw(words).length).toBeLessThan(words.length / 50);
  const both = deflateRaw(joined(words, chance));
  expect(both.length).toBeLessThan(chance.length * 1.1);
  // A stored block has its bytes as they are.
  expect(Buffer.from(both).includes(Buffer.from(chance.subarray(50_000, 50_100)))).toBe(true);
  // Even, but the same again and again.
  const cycle = Uint8Array.from({ length: 300_000 }, (_, at) => at & 0xff);
  expect(deflateRaw(cycle).length).toBeLessThan(cycle.length / 50);
});
