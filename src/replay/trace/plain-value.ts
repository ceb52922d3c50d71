import { Problem } from '../../base/problem.ts';
import {
  type ByteReader,
  type ByteWriter,
  readBytes,
  readText,
  readVarint,
  writeBytes,
  writeText,
  writeVarint,
} from './bytes.ts';

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

/** The value `writePlain` appended. */
export function readPlain(input: ByteReader): unknown {
  const tag = readVarint(input);
  switch (tag) {
    case TAG.undefined:
      return undefined;
    case TAG.false:
    case TAG.true:
      return tag === TAG.true;
    case TAG.positive:
      return readVarint(input);
    case TAG.negative:
      return -readVarint(input);
    case TAG.number: {
      const eight = readBytes(input, 8);
      return new DataView(eight.buffer, eight.byteOffset, 8).getFloat64(0, true);
    }
    case TAG.positiveBigint:
      return BigInt(`0x${readText(input)}`);
    case TAG.negativeBigint:
      return -BigInt(`0x${readText(input)}`);
    case TAG.string:
      return readText(input);
    case TAG.bytes:
      return readBytes(input, readVarint(input)).slice();
    case TAG.array:
      return Array.from({ length: readVarint(input) }, () => readPlain(input));
    case TAG.object: {
      const object: Record<string, unknown> = {};
      for (let left = readVarint(input); left > 0; left -= 1) object[readText(input)] = readPlain(input);
      return object;
    }
    default:
      throw new Problem(`A stored value has the unknown tag ${tag}.`);
  }
}
