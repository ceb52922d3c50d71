import { Problem } from '../../base/problem.ts';
import type { FieldType } from '../../events/schema.ts';
import {
  type ByteReader,
  type ByteWriter,
  readBytes,
  readText,
  readVarint,
  reserve,
  unzigzag,
  writeBytes,
  writeText,
  writeVarint,
  zigzag,
} from './bytes.ts';
import { unreachable } from '../../base/unreachable.ts';

/**
 * One field of all events of a kind in a chunk. Every column starts with a tag that says how its integers are packed:
 * all equal, varints above the column's minimum, or zigzag differences of neighbours.
 */
const CONSTANT = 0;
const ABOVE_MINIMUM = 1;
const DIFFERENCES = 2;
const EXACT_DIFFERENCE = 2 ** 51;

/** Room for the integers of one column; callers fill `values[0..count)`. */
export interface Scratch {
  /** Kinds of a batch's events. */
  readonly places: Uint32Array;
  readonly values: Float64Array;
  readonly high: Float64Array;
  readonly wide: BigUint64Array;
  readonly halves: Uint32Array;
}

/** Scratch for chunks of up to `limit` events. */
export function scratch(limit: number): Scratch {
  const wide = new BigUint64Array(1);
  return {
    places: new Uint32Array(limit),
    values: new Float64Array(limit),
    high: new Float64Array(limit),
    wide,
    halves: new Uint32Array(wide.buffer),
  };
}

/** Pack integers -(2^52)..2^53-1. */
export function writeIntegers(out: ByteWriter, values: Float64Array, count: number): void {
  let minimum = values[0];
  let maximum = minimum;
  let turns = 0;
  for (let i = 1; i < count; i += 1) {
    const value = values[i];
    turns += Math.abs(value - values[i - 1]);
    if (value < minimum) minimum = value;
    else if (value > maximum) maximum = value;
  }
  if (minimum === maximum) {
    writeVarint(out, CONSTANT);
    writeSigned(out, minimum);
    return;
  }
  // A column that mostly climbs is smaller as differences, which must stay exact.
  const range = maximum - minimum;
  const climbing = range < EXACT_DIFFERENCE && (turns / count) * 8 < range;
  writeVarint(out, climbing ? DIFFERENCES : ABOVE_MINIMUM);
  writeSigned(out, climbing ? values[0] : minimum);
  if (climbing) writeDifferences(out, values, count);
  else writeAbove(out, values, count, minimum);
}

function writeAbove(out: ByteWriter, values: Float64Array, count: number, minimum: number): void {
  reserve(out, count * 8);
  const { bytes } = out;
  for (let i = 0; i < count; i += 1) {
    const value = values[i] - minimum;
    if (value < 0x80) bytes[out.length++] = value;
    else writeVarint(out, value);
  }
}

function writeDifferences(out: ByteWriter, values: Float64Array, count: number): void {
  reserve(out, count * 8);
  const { bytes } = out;
  for (let i = 1; i < count; i += 1) {
    const value = zigzag(values[i] - values[i - 1]);
    if (value < 0x80) bytes[out.length++] = value;
    else writeVarint(out, value);
  }
}

/** A sign byte, then the magnitude: exact over the whole range, unlike zigzag. */
function writeSigned(out: ByteWriter, value: number): void {
  writeVarint(out, value < 0 ? 1 : 0);
  writeVarint(out, Math.abs(value));
}

function readSigned(input: ByteReader): number {
  const negative = readVarint(input) === 1;
  const magnitude = readVarint(input);
  return negative ? -magnitude : magnitude;
}

/** Unpack what `writeIntegers` packed into `values[0..count)`. Returns whether they were packed as all equal. */
export function readIntegers(input: ByteReader, values: Float64Array, count: number): boolean {
  const tag = readVarint(input);
  const first = readSigned(input);
  if (tag === CONSTANT) {
    values.fill(first, 0, count);
  } else if (tag === DIFFERENCES) {
    values[0] = first;
    for (let i = 1; i < count; i += 1) values[i] = values[i - 1] + unzigzag(readVarint(input));
  } else {
    for (let i = 0; i < count; i += 1) values[i] = first + readVarint(input);
  }
  return tag === CONSTANT;
}

/** Whatever has fields by name: an event seen by the codec. */
export type Row = Record<string, unknown>;

/** Pack field `name` of `rows`. */
export function writeColumn(
  out: ByteWriter,
  type: FieldType,
  rows: readonly Readonly<Row>[],
  name: string,
  room: Scratch,
): void {
  const count = rows.length;
  const { values } = room;
  switch (type) {
    case 'u':
    case 'i':
      for (let i = 0; i < count; i += 1) values[i] = rows[i][name] as number;
      writeIntegers(out, values, count);
      return;
    case 'bool':
      for (let i = 0; i < count; i += 1) values[i] = rows[i][name] === true ? 1 : 0;
      writeIntegers(out, values, count);
      return;
    case 'u64':
      writeWide(out, rows, name, room);
      return;
    case 'text':
      writeTexts(out, rows, name, room);
      return;
    case 'bytes':
      writeBlobs(out, rows, name, room);
      return;
    default:
      unreachable(type);
  }
}

/** 64-bit integers as two columns: the high halves are mostly equal. */
function writeWide(out: ByteWriter, rows: readonly Readonly<Row>[], name: string, room: Scratch): void {
  const { values, high, wide, halves } = room;
  for (let i = 0; i < rows.length; i += 1) {
    const value = rows[i][name] as bigint;
    if (value === 0n) {
      values[i] = 0;
      high[i] = 0;
    } else {
      wide[0] = value;
      values[i] = halves[0];
      high[i] = halves[1];
    }
  }
  writeIntegers(out, high, rows.length);
  writeIntegers(out, values, rows.length);
}

function writeTexts(out: ByteWriter, rows: readonly Readonly<Row>[], name: string, room: Scratch): void {
  const places = new Map<string, number>();
  for (let i = 0; i < rows.length; i += 1) {
    const text = rows[i][name] as string;
    let place = places.get(text);
    if (place === undefined) {
      place = places.size;
      places.set(text, place);
    }
    room.values[i] = place;
  }
  writeVarint(out, places.size);
  for (const text of places.keys()) writeText(out, text);
  writeIntegers(out, room.values, rows.length);
}

function writeBlobs(out: ByteWriter, rows: readonly Readonly<Row>[], name: string, room: Scratch): void {
  for (let i = 0; i < rows.length; i += 1) room.values[i] = (rows[i][name] as Uint8Array).length;
  writeIntegers(out, room.values, rows.length);
  for (const row of rows) writeBytes(out, row[name] as Uint8Array);
}

/** Field `name` of all events of a kind in a chunk, every value one its type can have. */
export interface Column {
  readonly name: string;
  readonly type: FieldType;
  /** Whether all events have the same. */
  readonly isConstant: boolean;
  /** By event: the integer, a text's place, a bool as 0 or 1, the low half of 64 bits, where bytes end. */
  readonly values: Float64Array;
  /** By event: the high half of 64 bits. */
  readonly high: Float64Array;
  readonly texts: readonly string[];
  readonly bytes: Uint8Array;
}

const NO_VALUES = new Float64Array(0);
const NO_BYTES = new Uint8Array(0);
const NO_TEXTS: readonly string[] = [];

/** What `writeColumn` wrote of `count` events. */
export function readColumn(input: ByteReader, type: FieldType, count: number, name: string): Column {
  const high = type === 'u64' ? new Float64Array(count) : NO_VALUES;
  const isHighConstant = type !== 'u64' || readIntegers(input, high, count);
  checkRange(high, RANGES.u64, name);
  const texts = type === 'text' ? readTexts(input, count, name) : NO_TEXTS;
  const values = new Float64Array(count);
  const isLowConstant = readIntegers(input, values, count);
  checkRange(values, type === 'text' ? [0, texts.length - 1] : RANGES[type], name);
  if (type === 'bytes') for (let i = 1; i < count; i += 1) values[i] += values[i - 1];
  const bytes = type === 'bytes' ? readBytes(input, values[count - 1]) : NO_BYTES;
  const isConstant = type === 'bytes' ? bytes.length === 0 : isHighConstant && isLowConstant;
  return { name, type, isConstant, values, high, texts, bytes };
}

/** What a field of a type can be; of bytes, how many. */
const RANGES: Readonly<Record<Exclude<FieldType, 'text'>, readonly [least: number, most: number]>> = {
  u: [0, Number.MAX_SAFE_INTEGER],
  i: [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  u64: [0, 0xffff_ffff],
  bytes: [0, 2 ** 32],
  bool: [0, 1],
};

function checkRange(values: Float64Array, [least, most]: readonly [number, number], name: string): void {
  for (let i = 0; i < values.length; i += 1) {
    if (!(values[i] >= least && values[i] <= most)) {
      throw new Problem(
        `A chunk of the trace contradicts itself: it holds a value that the field ${name} cannot have.`,
      );
    }
  }
}

/** The texts of a column, each once. */
function readTexts(input: ByteReader, count: number, name: string): string[] {
  const different = readVarint(input);
  checkRange(Float64Array.of(different), [0, count], name);
  return Array.from({ length: different }, () => readText(input));
}

const WIDE = new BigUint64Array(1);
const HALVES = new Uint32Array(WIDE.buffer);

/** The value of a column's field in one event. Bytes are the caller's to keep. */
export function valueIn({ type, values, high, texts, bytes }: Column, row: number): unknown {
  const value = values[row];
  switch (type) {
    case 'u':
    case 'i':
      return value;
    case 'bool':
      return value === 1;
    case 'text':
      return texts[value];
    case 'bytes':
      // Not `slice`: of a Buffer that would be no copy.
      return new Uint8Array(bytes.subarray(row === 0 ? 0 : values[row - 1], value));
    case 'u64':
      HALVES[0] = value;
      HALVES[1] = high[row];
      return WIDE[0];
    default:
      return unreachable(type);
  }
}
