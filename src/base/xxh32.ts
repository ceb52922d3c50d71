/** XXH32, of the xxHash family: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md, "XXH32 algorithm". */

const PRIME = { a: 0x9e3779b1, b: 0x85ebca77, c: 0xc2b2ae3d, d: 0x27d4eb2f, e: 0x165667b1 } as const;

/** Bytes one turn of the four accumulators takes in. */
const STRIPE = 16;

const rotated = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

const round = (accumulator: number, lane: number): number =>
  Math.imul(rotated((accumulator + Math.imul(lane, PRIME.b)) | 0, 13), PRIME.a);

/** The hash of some bytes, an unsigned 32-bit number. `seed` is 32 bits. */
export function xxh32(bytes: Uint8Array, seed: number): number {
  // A Buffer's `slice` would be no copy, and no better aligned.
  const aligned = (bytes.byteOffset & 3) === 0 ? bytes : new Uint8Array(bytes);
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
  const stripes = aligned.length - (aligned.length % STRIPE);
  const striped = aligned.length < STRIPE ? (seed + PRIME.e) | 0 : overStripes(words, stripes >>> 2, seed);
  return avalanche(overTail(aligned, words, stripes, (striped + aligned.length) | 0));
}

/** Four independent accumulators, so that a processor can turn them side by side. */
function overStripes(words: Int32Array, count: number, seed: number): number {
  let a = (seed + PRIME.a + PRIME.b) | 0;
  let b = (seed + PRIME.b) | 0;
  let c = seed | 0;
  let d = (seed - PRIME.a) | 0;
  for (let at = 0; at < count; at += 4) {
    a = round(a, words[at]!);
    b = round(b, words[at + 1]!);
    c = round(c, words[at + 2]!);
    d = round(d, words[at + 3]!);
  }
  return (rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18)) | 0;
}

function overTail(bytes: Uint8Array, words: Int32Array, from: number, before: number): number {
  let hash = before;
  let at = from;
  for (; at + 4 <= bytes.length; at += 4) {
    hash = Math.imul(rotated((hash + Math.imul(words[at >>> 2]!, PRIME.c)) | 0, 17), PRIME.d);
  }
  for (; at < bytes.length; at += 1) {
    hash = Math.imul(rotated((hash + Math.imul(bytes[at]!, PRIME.e)) | 0, 11), PRIME.a);
  }
  return hash;
}

function avalanche(before: number): number {
  let hash = Math.imul(before ^ (before >>> 15), PRIME.b);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME.c);
  return (hash ^ (hash >>> 16)) >>> 0;
}
