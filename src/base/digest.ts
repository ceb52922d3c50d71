/** A 64-bit hash under construction: two 32-bit lanes that are mixed differently. */
export interface Hash {
  a: number;
  b: number;
}

/** An empty hash. */
export const emptyHash = (): Hash => ({ a: 0x9e3779b9, b: 0x85ebca6b });

/** Mix one 32-bit word in. */
export function mixWord(hash: Hash, word: number): void {
  hash.a = Math.imul(hash.a ^ word, 0x85ebca6b);
  hash.a ^= hash.a >>> 15;
  hash.b = Math.imul((hash.b << 13) | (hash.b >>> 19), 0xc2b2ae35) ^ Math.imul(word, 0x27d4eb2f);
}

/** The hash as 16 hexadecimal digits. */
export const finished = (hash: Hash): string => eight(highOf(hash)) + eight(lowOf(hash));

const mixedLow = ({ a, b }: Hash): number => Math.imul(a ^ (b >>> 16), 0x85ebca6b);

function lowOf(hash: Hash): number {
  const low = mixedLow(hash);
  return low ^ (low >>> 13);
}

function highOf(hash: Hash): number {
  const high = Math.imul(hash.b ^ (mixedLow(hash) >>> 13), 0xc2b2ae35);
  return high ^ (high >>> 16);
}

const eight = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');

const TAG = { undefined: 1, false: 2, true: 3, integer: 4, number: 5, bigint: 6, string: 7, array: 8, object: 9 };

const FLOAT = new Float64Array(1);
const FLOAT_WORDS = new Uint32Array(FLOAT.buffer);

function mixNumber(hash: Hash, value: number): void {
  if ((value | 0) === value) {
    mixWord(hash, TAG.integer);
    mixWord(hash, value);
    return;
  }
  FLOAT[0] = value;
  mixWord(hash, TAG.number);
  mixWord(hash, FLOAT_WORDS[0]);
  mixWord(hash, FLOAT_WORDS[1]);
}

const WIDE = new BigUint64Array(1);
const WIDE_WORDS = new Uint32Array(WIDE.buffer);

function mixBigint(hash: Hash, value: bigint): void {
  mixWord(hash, TAG.bigint);
  WIDE[0] = value;
  mixWord(hash, WIDE_WORDS[0]);
  mixWord(hash, WIDE_WORDS[1]);
  if (WIDE[0] !== value) mixString(hash, value.toString(16));
}

function mixString(hash: Hash, value: string): void {
  mixWord(hash, TAG.string);
  mixWord(hash, value.length);
  for (let i = 0; i < value.length; i += 1) mixWord(hash, value.charCodeAt(i));
}

/** Mix a plain value in: in whatever order its keys are, an absent key equal to an undefined one. */
export function mixValue(hash: Hash, value: unknown): void {
  switch (typeof value) {
    case 'number':
      mixNumber(hash, value);
      return;
    case 'bigint':
      mixBigint(hash, value);
      return;
    case 'string':
      mixString(hash, value);
      return;
    case 'boolean':
      mixWord(hash, value ? TAG.true : TAG.false);
      return;
    case 'undefined':
      mixWord(hash, TAG.undefined);
      return;
    default:
      mixObject(hash, value as object);
  }
}

function mixObject(hash: Hash, value: object): void {
  if (Array.isArray(value)) {
    mixWord(hash, TAG.array);
    mixWord(hash, value.length);
    for (const item of value) mixValue(hash, item);
    return;
  }
  mixRecord(hash, value as Readonly<Record<string, unknown>>);
}

/** What the few hundred names of fields come to. */
const STARTS = new Map<string, Hash>();
/** Names a guest or a trace makes up are not kept without end. */
const MOST_STARTS = 4096;

function startOf(key: string): Readonly<Hash> {
  const known = STARTS.get(key);
  if (known !== undefined) return known;
  const start = { a: TAG.object, b: key.length };
  mixString(start, key);
  if (STARTS.size < MOST_STARTS) STARTS.set(key, start);
  return start;
}

/** A sum of what each key and its value come to does not depend on their order, and needs none. */
function mixRecord(hash: Hash, record: Readonly<Record<string, unknown>>): void {
  const { a, b } = hash;
  let [sumA, sumB] = [0, 0];
  for (const key of Object.keys(record)) {
    const value = record[key];
    if (value === undefined) continue;
    const start = startOf(key);
    hash.a = start.a;
    hash.b = start.b;
    mixValue(hash, value);
    sumA = (sumA + lowOf(hash)) | 0;
    sumB = (sumB + highOf(hash)) | 0;
  }
  hash.a = a;
  hash.b = b;
  mixWord(hash, TAG.object);
  mixWord(hash, sumA);
  mixWord(hash, sumB);
}

/** The first 32 bits of `digestOf`, as a number. */
export function digestWord(value: unknown): number {
  const hash = emptyHash();
  mixValue(hash, value);
  return highOf(hash) >>> 0;
}

/** The digest of a plain value. Equal values have equal digests whatever order their keys were made in. */
export function digestOf(value: unknown): string {
  const hash = emptyHash();
  mixValue(hash, value);
  return finished(hash);
}

/** Mix bytes in, four at a time; `length` is a multiple of 4 and `bytes` is aligned to 4. */
export function mixBytes(hash: Hash, bytes: Uint8Array): void {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  let { a, b } = hash;
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i];
    a = Math.imul(a ^ word, 0x85ebca6b);
    a ^= a >>> 15;
    b = Math.imul((b << 13) | (b >>> 19), 0xc2b2ae35) ^ Math.imul(word, 0x27d4eb2f);
  }
  hash.a = a;
  hash.b = b;
}
