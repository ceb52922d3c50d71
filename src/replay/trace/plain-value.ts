import type { ByteReader } from '../../base/byte-reader.ts';
import { type ByteWriter, writeBytes, writeText, writeVarint } from './bytes.ts';

const TAG = {
  undefined: 0,
  false: 1,
  true: 2,
  positive: 3,
  negative: 4,
  number: 5,
  positiveBigint: 6,
  negativeBigint: 7,
  string: 8,
  array: 9,
  object: 10,
  bytes: 11,
} as const;

/** Append a plain value: a machine's state. A key whose value is undefined is left out. */
export function writePlain(out: ByteWriter, value: unknown): void {
  if (value === undefined) writeVarint(out, TAG.undefined);
  else if (typeof value === 'boolean') writeVarint(out, value ? TAG.true : TAG.false);
  else if (typeof value === 'number') writeNumber(out, value);
  else if (typeof value === 'bigint') {
    writeVarint(out, value < 0n ? TAG.negativeBigint : TAG.positiveBigint);
    writeText(out, (value < 0n ? -value : value).toString(16));
  } else if (typeof value === 'string') {
    writeVarint(out, TAG.string);
    writeText(out, value);
  } else writeContainer(out, value as object);
}

function writeNumber(out: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    writeVarint(out, value < 0 ? TAG.negative : TAG.positive);
    writeVarint(out, Math.abs(value));
    return;
  }
  const eight = new Uint8Array(8);
  new DataView(eight.buffer).setFloat64(0, value, true);
  writeVarint(out, TAG.number);
  writeBytes(out, eight);
}

function writeContainer(out: ByteWriter, value: object): void {
  if (value instanceof Uint8Array) {
    writeVarint(out, TAG.bytes);
    writeVarint(out, value.length);
    writeBytes(out, value);
  } else if (Array.isArray(value)) {
    writeVarint(out, TAG.array);
    writeVarint(out, value.length);
    for (const item of value) writePlain(out, item);
  } else {
    const entries = Object.entries(value).filter(([, each]) => each !== undefined);
    writeVarint(out, TAG.object);
    writeVarint(out, entries.length);
    for (const [key, each] of entries) {
      writeText(out, key);
      writePlain(out, each);
    }
  }
}

/** How deep a value stands in another, and how many more there may be. */
interface Bounds {
  readonly depth: number;
  readonly budget: { left: number };
}

/** Far more than the state of a machine has. */
const DEEPEST = 64;
const MOST_VALUES = 2 ** 23;
const DIGITS = /^[0-9a-f]{1,1024}$/;

/** The value `writePlain` appended, if that is what it is. */
export const readPlain = (input: ByteReader): unknown => readValue(input, { depth: 0, budget: { left: MOST_VALUES } });

function readValue(input: ByteReader, bounds: Bounds): unknown {
  bounds.budget.left -= 1;
  if (bounds.depth > DEEPEST || bounds.budget.left < 0) throw input.problem('holds more values than any that was kept');
  const tag = input.varint();
  switch (tag) {
    case TAG.undefined:
      return undefined;
    case TAG.false:
    case TAG.true:
      return tag === TAG.true;
    case TAG.positive:
      return input.varint();
    case TAG.negative:
      return -input.varint();
    case TAG.number: {
      const eight = input.take(8);
      return new DataView(eight.buffer, eight.byteOffset, 8).getFloat64(0, true);
    }
    case TAG.positiveBigint:
      return readMagnitude(input);
    case TAG.negativeBigint:
      return -readMagnitude(input);
    case TAG.string:
      return input.text();
    case TAG.bytes:
      return input.take(input.varint()).slice();
    case TAG.array:
      return readArray(input, bounds);
    case TAG.object:
      return readObject(input, bounds);
    default:
      throw input.problem(`has the unknown tag ${tag}`);
  }
}

function readMagnitude(input: ByteReader): bigint {
  const digits = input.text();
  if (!DIGITS.test(digits)) throw input.problem('holds a number without digits');
  return BigInt(`0x${digits}`);
}

function readArray(input: ByteReader, bounds: Bounds): unknown[] {
  const array: unknown[] = [];
  for (let left = input.count(1); left > 0; left -= 1) array.push(readValue(input, deeper(bounds)));
  return array;
}

function readObject(input: ByteReader, bounds: Bounds): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (let left = input.count(2); left > 0; left -= 1) {
    const key = input.text();
    // It would be the object's prototype.
    if (key === '__proto__') throw input.problem('has a key that is none');
    object[key] = readValue(input, deeper(bounds));
  }
  return object;
}

const deeper = ({ depth, budget }: Bounds): Bounds => ({ depth: depth + 1, budget });
