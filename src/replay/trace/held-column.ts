import type { FieldType } from '../../events/schema.ts';
import { type ByteWriter, writeBytes, writeText, writeVarint } from './bytes.ts';
import { HEADERS, MOST_IN_NUMBER, NOTHING_SAID, type Said, SILENT, type Telling } from './columns.ts';
import { isOne, type Numbers, writeConstant, writeIntegers } from './integers.ts';
import { writeTold } from './told.ts';
import { unreachable } from '../../base/invariant.ts';

const WIDE = new BigUint64Array(1);
const HALVES = new Uint32Array(WIDE.buffer);

/** Of so few bytes a call costs more than a loop. */
const FEW_BYTES = 16;
/** Room for bytes that is kept from one chunk to the next. */
const BYTES_KEPT = 1 << 20;

/** One field of the events of a kind that wait to be written, by the events' places among those of their kind. */
export class HeldColumn {
  readonly name: string;
  readonly type: FieldType;
  /** The integer, a bool as 0 or 1, the low half of 64 bits, where bytes end; room for the places of texts. */
  private low: Float64Array = new Float64Array(0);
  /** The high half of 64 bits; room for the lengths and the values of bytes. */
  private high: Float64Array = new Float64Array(0);
  private readonly texts: string[] = [];
  private bytes = new Uint8Array(0);

  constructor(name: string, type: FieldType) {
    this.name = name;
    this.type = type;
  }

  /** Make room for so many events. */
  grow(count: number): void {
    this.low = grown(this.low, count);
    if (this.type === 'u64' || this.type === 'bytes' || this.type === 'packet') this.high = grown(this.high, count);
  }

  /** Note what the event at a place has. The one before has been noted. */
  put(row: number, value: unknown): void {
    switch (this.type) {
      case 'u':
      case 'i':
        this.low[row] = value as number;
        return;
      case 'bool':
        this.low[row] = value === true ? 1 : 0;
        return;
      case 'u64':
        this.putWide(row, value as bigint);
        return;
      case 'text':
        this.texts[row] = value as string;
        return;
      default:
        this.putBytes(row, value as Uint8Array);
    }
  }

  private putWide(row: number, value: bigint): void {
    WIDE[0] = value;
    this.low[row] = HALVES[0]!;
    this.high[row] = HALVES[1]!;
  }

  private putBytes(row: number, added: Uint8Array): void {
    const start = this.startOf(row);
    const { length } = added;
    const end = start + length;
    this.low[row] = end;
    if (length === 0) return;
    if (end > this.bytes.length) this.growBytes(start, end);
    const { bytes } = this;
    if (length <= FEW_BYTES) for (let i = 0; i < length; i += 1) bytes[start + i] = added[i]!;
    else bytes.set(added, start);
  }

  private growBytes(used: number, needed: number): void {
    const bytes = new Uint8Array(Math.max(needed, 2 * this.bytes.length, 64));
    bytes.set(this.bytes.subarray(0, used));
    this.bytes = bytes;
  }

  private startOf(row: number): number {
    return row === 0 ? 0 : this.low[row - 1]!;
  }

  /** The events have been written. */
  clear(): void {
    this.texts.length = 0;
    if (this.bytes.length > BYTES_KEPT) this.bytes = new Uint8Array(0);
  }

  /** Pack what the events from one place up to another have. Returns what it says, until it is written again. */
  write(out: ByteWriter, from: number, to: number, telling: Telling): Said {
    const { type } = this;
    switch (type) {
      case 'u':
      case 'i':
      case 'bool':
        return writeNumbers(out, this.low.subarray(from, to), telling);
      case 'u64':
        return writeWide(out, this.low.subarray(from, to), this.high.subarray(from, to), telling);
      case 'text':
        this.writeTexts(out, from, to);
        return SILENT;
      case 'bytes':
        return this.writeBlobs(out, from, to, telling);
      case 'packet':
        this.writePackets(out, from, to);
        return SILENT;
      default:
        return unreachable(type);
    }
  }

  private writeTexts(out: ByteWriter, from: number, to: number): void {
    const { texts, low } = this;
    const places = new Map<string, number>();
    let last: string | undefined;
    let place = 0;
    for (let row = from; row < to; row += 1) {
      const text = texts[row]!;
      // Mostly the one before.
      if (text !== last) {
        place = places.get(text) ?? places.size;
        if (place === places.size) places.set(text, place);
        last = text;
      }
      low[row] = place;
    }
    writeVarint(out, places.size);
    for (const text of places.keys()) writeText(out, text);
    writeIntegers(out, low.subarray(from, to), to - from);
  }

  /** Bytes as numbers where none are longer, the first byte lowest: a register's are told by others. */
  private writeBlobs(out: ByteWriter, from: number, to: number, telling: Telling): Said {
    const longest = this.writeLengths(out, from, to);
    if (longest > MOST_IN_NUMBER) writeBytes(out, this.bytes.subarray(this.startOf(from), this.low[to - 1]!));
    if (longest === 0 || longest > MOST_IN_NUMBER) return SILENT;
    const { low, high, bytes } = this;
    for (let row = from, start = this.startOf(from); row < to; row += 1) {
      let number = 0;
      for (let at = low[row]! - 1; at >= start; at -= 1) number = number * 256 + bytes[at]!;
      high[row] = number;
      start = low[row]!;
    }
    const values = high.subarray(from, to);
    writeTold(out, values, telling.rows, telling.tellers, telling.low);
    return { low: { isConstant: false, values }, high: NOTHING_SAID };
  }

  /** Headers are much like each other, what follows them is often like nothing: they stand apart, to be deflated. */
  private writePackets(out: ByteWriter, from: number, to: number): void {
    this.writeLengths(out, from, to);
    const { low, bytes } = this;
    for (let row = from; row < to; row += 1) {
      const start = this.startOf(row);
      writeBytes(out, bytes.subarray(start, Math.min(start + HEADERS, low[row]!)));
    }
    for (let row = from; row < to; row += 1) {
      const rest = this.startOf(row) + HEADERS;
      if (rest < low[row]!) writeBytes(out, bytes.subarray(rest, low[row]!));
    }
  }

  /** Returns the longest. */
  private writeLengths(out: ByteWriter, from: number, to: number): number {
    const { low, high } = this;
    let longest = 0;
    for (let row = from; row < to; row += 1) {
      const length = low[row]! - this.startOf(row);
      high[row] = length;
      if (length > longest) longest = length;
    }
    writeIntegers(out, high.subarray(from, to), to - from);
    return longest;
  }
}

function grown(values: Float64Array, count: number): Float64Array {
  const more = new Float64Array(count);
  more.set(values);
  return more;
}

const oneNumber = (value: number): Numbers => ({ isConstant: true, values: Float64Array.of(value) });

/** Most fields of most kinds are the same in a whole chunk. */
function writeNumbers(out: ByteWriter, values: Float64Array, { rows, tellers, low }: Telling): Said {
  if (isOne(values, values.length)) {
    writeConstant(out, values[0]!);
    return { low: oneNumber(values[0]!), high: NOTHING_SAID };
  }
  writeTold(out, values, rows, tellers, low);
  return { low: { isConstant: false, values }, high: NOTHING_SAID };
}

/** 64-bit integers as two columns: the high halves are mostly equal. */
function writeWide(out: ByteWriter, low: Float64Array, high: Float64Array, telling: Telling): Said {
  if (isOne(low, low.length) && isOne(high, high.length)) {
    writeConstant(out, high[0]!);
    writeConstant(out, low[0]!);
    return { low: oneNumber(low[0]!), high: oneNumber(high[0]!) };
  }
  writeTold(out, high, telling.rows, telling.tellers, telling.high);
  writeTold(out, low, telling.rows, telling.tellers, telling.low);
  return { low: { isConstant: false, values: low }, high: { isConstant: false, values: high } };
}
