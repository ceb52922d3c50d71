/** SHA-256 (FIPS 180-4) of bytes that come one after another: what was hashed so far is a plain value. */
import { latin1 } from './bytes.ts';
import type { Draft } from './draft.ts';

export interface Sha256State {
  /** Eight words of 32 bits. */
  readonly words: readonly number[];
  /** What does not fill a block yet: a byte a character. */
  readonly rest: string;
  /** Bytes so far. */
  readonly length: number;
}

const BLOCK = 64;

/** Fractional parts of the roots of the first primes, as 32 bits. */
const fraction = (root: number): number => ((root - Math.floor(root)) * 0x1_0000_0000) | 0;

function primes(count: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate++) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  }
  return found;
}

/**
 * A cube root's 32 fractional bits, by integers alone: what `Math.cbrt` gives in its last bits is each engine's own.
 * The root's whole part stands above them.
 */
function cubeRootBits(prime: number): number {
  const wanted = BigInt(prime) << 96n;
  let root = 0n;
  for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) {
    const tried = root | bit;
    if (tried * tried * tried <= wanted) root = tried;
  }
  return Number(BigInt.asIntN(32, root));
}

const CONSTANTS = Int32Array.from(primes(64), cubeRootBits);
const FIRST = primes(8).map((prime) => fraction(Math.sqrt(prime)));

/** Nothing hashed yet. */
export const SHA256_START: Sha256State = { words: FIRST, rest: '', length: 0 };

const rotated = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/** The words of a block's schedule: used again for each. */
const SCHEDULE = new Int32Array(64);

/** The 64 words of a block's schedule. */
function schedule(bytes: Uint8Array, from: number): Int32Array {
  const words = SCHEDULE;
  for (let at = 0, byte = from; at < 16; at++, byte += 4) {
    words[at] = (bytes[byte]! << 24) | (bytes[byte + 1]! << 16) | (bytes[byte + 2]! << 8) | bytes[byte + 3]!;
  }
  for (let at = 16; at < 64; at++) {
    const [early, late] = [words[at - 15]!, words[at - 2]!];
    const low = rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3);
    const high = rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10);
    words[at] = words[at - 16]! + low + words[at - 7]! + high;
  }
  return words;
}

function compress(state: Int32Array, bytes: Uint8Array, from: number): void {
  const words = schedule(bytes, from);
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let at = 0; at < 64; at++) {
    const choice = (e & f) ^ (~e & g);
    const one = (h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + choice + CONSTANTS[at]! + words[at]!) | 0;
    const two = ((rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    // One by one: an upload is hashed by this, and making an array for each step takes longer than the step.
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
  state[5]! += f;
  state[6]! += g;
  state[7]! += h;
}

/** The rest of before and what is new, as bytes. */
function together(rest: string, bytes: Uint8Array): Uint8Array {
  if (rest === '') return bytes;
  const all = new Uint8Array(rest.length + bytes.length);
  for (let at = 0; at < rest.length; at++) all[at] = rest.charCodeAt(at);
  all.set(bytes, rest.length);
  return all;
}

/** Hash more bytes. */
export function sha256Add(hash: Draft<Sha256State>, bytes: Uint8Array): void {
  const all = together(hash.rest, bytes);
  const state = Int32Array.from(hash.words);
  let at = 0;
  for (; at + BLOCK <= all.length; at += BLOCK) compress(state, all, at);
  hash.words = [...state];
  hash.rest = latin1(all.subarray(at));
  hash.length += bytes.length;
}

/** The digest of what was hashed, as 64 hexadecimal digits. */
export function sha256Text({ words, rest, length }: Sha256State): string {
  const padded = new Uint8Array((Math.floor((rest.length + 8) / BLOCK) + 1) * BLOCK);
  for (let at = 0; at < rest.length; at++) padded[at] = rest.charCodeAt(at);
  padded[rest.length] = 0x80;
  new DataView(padded.buffer).setBigUint64(padded.length - 8, BigInt(length) * 8n);
  const state = Int32Array.from(words);
  for (let at = 0; at < padded.length; at += BLOCK) compress(state, padded, at);
  return [...state].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}
