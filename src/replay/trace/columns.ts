import type { ByteReader } from '../../base/byte-reader.ts';
import type { Problem } from '../../base/problem.ts';
import type { FieldType } from '../../events/schema.ts';
import { contradiction } from './contradiction.ts';
import { type Numbers, readNumbers } from './integers.ts';
import { type FieldPlace, readTold, type TellerAt } from './told.ts';
import { unreachable } from '../../base/invariant.ts';

/** Whatever has fields by name: an event seen by the codec. */
export type Row = Record<string, unknown>;

/** How the other columns of a chunk can tell one: the events of its kind, and the columns known so far. */
export interface Telling {
  readonly rows: Uint32Array;
  /** Fields that may have told it. */
  readonly tellers: readonly FieldPlace[];
  readonly low: TellerAt;
  readonly high: TellerAt;
}

/** What a column of a chunk being written says, for those it tells. */
export interface Said {
  readonly low: Numbers;
  readonly high: Numbers;
}

export const NOTHING_SAID: Numbers = { isConstant: true, values: new Float64Array(1) };
export const SILENT: Said = { low: NOTHING_SAID, high: NOTHING_SAID };

/** As many bytes can be taken for a number. */
export const MOST_IN_NUMBER = 6;

/** So much of a packet is headers: of Ethernet, IPv4, and TCP with timestamps. */
export const HEADERS = 66;

/** Field `name` of all events of a kind in a chunk, every value one its type can have. */
export interface Column {
  readonly name: string;
  readonly type: FieldType;
  /** Whether all events have the same: then there is one value. */
  readonly isConstant: boolean;
  /** By event: the integer, a text's place, a bool as 0 or 1, the low half of 64 bits, where bytes end. */
  readonly values: Float64Array;
  /** By event: the high half of 64 bits. */
  readonly high: Float64Array;
  readonly texts: readonly string[];
  readonly bytes: Uint8Array;
  /** What it says to the columns it tells. */
  readonly said: Said;
}

const NO_VALUES = new Float64Array(0);
const NO_BYTES = new Uint8Array(0);
const NO_TEXTS: readonly string[] = [];

/** A field as its chunk names it. */
export interface Field {
  readonly name: string;
  readonly type: FieldType;
}

/** What `writeColumn` wrote of the events at `rows`. */
export function readColumn(input: ByteReader, field: Field, telling: Telling, hasShortBytes: boolean): Column {
  switch (field.type) {
    case 'text':
      return readTexts(input, field, telling);
    case 'bytes':
      return readBlobs(input, field, telling, hasShortBytes);
    case 'packet':
      return readPackets(input, field, telling.rows.length);
    case 'u64':
      return readWide(input, field, telling);
    default: {
      const low = readTold(input, telling.rows, telling.low);
      checkRange(low.values, RANGES[field.type], field.name);
      return columnOf(field, low, { said: { low, high: NOTHING_SAID } });
    }
  }
}

/** Not by spreading: there are hundreds in a chunk. */
const columnOf = (
  { name, type }: Field,
  { isConstant, values }: Numbers,
  { high = NO_VALUES, texts = NO_TEXTS, bytes = NO_BYTES, said = SILENT }: Partial<Column>,
): Column => ({ name, type, isConstant, values, high, texts, bytes, said });

function readWide(input: ByteReader, field: Field, { rows, low: lowAt, high: highAt }: Telling): Column {
  const high = readTold(input, rows, highAt);
  const low = readTold(input, rows, lowAt);
  checkRange(high.values, RANGES.u64, field.name);
  checkRange(low.values, RANGES.u64, field.name);
  const said = { low, high };
  if (high.isConstant && low.isConstant) return columnOf(field, low, { high: high.values, said });
  const values = spread(low, rows.length);
  return columnOf(field, { isConstant: false, values }, { high: spread(high, rows.length), said });
}

/** By event, also what all have. */
const spread = ({ isConstant, values }: Numbers, count: number): Float64Array =>
  isConstant ? new Float64Array(count).fill(values[0]!) : values;

/** What a field of a type can be; of bytes, how many. */
const RANGES: Readonly<Record<Exclude<FieldType, 'text'>, readonly [least: number, most: number]>> = {
  u: [0, Number.MAX_SAFE_INTEGER],
  i: [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  u64: [0, 0xffff_ffff],
  bytes: [0, 2 ** 32],
  packet: [0, 2 ** 32],
  bool: [0, 1],
};

function checkRange(values: Float64Array, [least, most]: readonly [number, number], name: string): void {
  for (let i = 0; i < values.length; i += 1) if (!(values[i]! >= least && values[i]! <= most)) throw outside(name);
}

const outside = (name: string): Problem => contradiction(`a value that the field ${name} cannot have`);

function readTexts(input: ByteReader, field: Field, { rows }: Telling): Column {
  const different = input.count(1);
  if (different > rows.length) throw outside(field.name);
  const texts = Array.from({ length: different }, () => input.text());
  const places = readNumbers(input, input.varint(), rows.length);
  checkRange(places.values, [0, texts.length - 1], field.name);
  return columnOf(field, places, { texts });
}

function readBlobs(input: ByteReader, field: Field, telling: Telling, hasShortBytes: boolean): Column {
  const count = telling.rows.length;
  const lengths = readNumbers(input, input.varint(), count);
  checkRange(lengths.values, RANGES.bytes, field.name);
  let longest = 0;
  for (const length of lengths.values) longest = Math.max(longest, length);
  if (longest === 0) return columnOf(field, { isConstant: true, values: lengths.values }, {});
  const ends = spread(lengths, count);
  if (hasShortBytes && longest <= MOST_IN_NUMBER) return readShort(input, field, telling, ends);
  for (let i = 1; i < count; i += 1) ends[i]! += ends[i - 1]!;
  return columnOf(field, { isConstant: false, values: ends }, { bytes: input.take(ends[count - 1]!) });
}

/** Each one's headers with what followed them. */
function readPackets(input: ByteReader, field: Field, count: number): Column {
  const lengths = readNumbers(input, input.varint(), count);
  checkRange(lengths.values, RANGES.packet, field.name);
  const ends = spread(lengths, count);
  let headers = 0;
  for (let i = 0; i < count; i += 1) {
    headers += Math.min(ends[i]!, HEADERS);
    if (i > 0) ends[i]! += ends[i - 1]!;
  }
  const apart = input.take(ends[count - 1]!);
  const bytes = new Uint8Array(apart.length);
  let [header, rest] = [0, headers];
  for (let i = 0, at = 0; i < count; at = ends[i]!, i += 1) {
    const length = Math.min(ends[i]! - at, HEADERS);
    bytes.set(apart.subarray(header, header + length), at);
    bytes.set(apart.subarray(rest, rest + ends[i]! - at - length), at + length);
    header += length;
    rest += ends[i]! - at - length;
  }
  return columnOf(field, { isConstant: false, values: ends }, { bytes });
}

/** Bytes that were written as numbers. */
function readShort(input: ByteReader, field: Field, telling: Telling, ends: Float64Array): Column {
  const low = readTold(input, telling.rows, telling.low);
  const bytes = new Uint8Array(ends.length * MOST_IN_NUMBER);
  let end = 0;
  for (let i = 0; i < ends.length; i += 1) {
    let rest = low.values[low.isConstant ? 0 : i]!;
    const to = end + ends[i]!;
    if (!(rest >= 0 && rest < 256 ** ends[i]!)) throw outside(field.name);
    for (; end < to; end += 1) {
      bytes[end] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    ends[i] = end;
  }
  const said = { low, high: NOTHING_SAID };
  return columnOf(field, { isConstant: false, values: ends }, { bytes, said });
}

const WIDE = new BigUint64Array(1);
const HALVES = new Uint32Array(WIDE.buffer);

/** The value of a column's field in one event. Bytes are the caller's to keep. */
export function valueIn({ type, values, high, texts, bytes }: Column, row: number): unknown {
  const value = values[row]!;
  switch (type) {
    case 'u':
    case 'i':
      return value;
    case 'bool':
      return value === 1;
    case 'text':
      return texts[value];
    case 'bytes':
    case 'packet':
      // Not `slice`: of a Buffer that would be no copy.
      return new Uint8Array(bytes.subarray(row === 0 ? 0 : values[row - 1], value));
    case 'u64':
      HALVES[0] = value;
      HALVES[1] = high[row]!;
      return WIDE[0];
    default:
      return unreachable(type);
  }
}
