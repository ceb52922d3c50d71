import { Problem } from './problem.ts';

const TEXT_DECODER = new TextDecoder();

/**
 * Bytes somebody else wrote, read piece by piece or at a place. Whatever they say of themselves (a number, a count, a
 * length, a place) is checked here before anybody uses it: what cannot be is a Problem that names the byte.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  at = 0;
  private readonly what: string;
  private known: DataView | undefined;

  /** `what` is what a sentence calls the bytes: "the chunk", "vmlinuz". */
  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.what = what;
  }

  /** Bytes that are not read yet. */
  get left(): number {
    return this.bytes.length - this.at;
  }

  /** LEB128 of an integer 0..2^53-1. */
  varint(): number {
    const { bytes } = this;
    let { at } = this;
    let byte = bytes[at++]!;
    let value = byte & 0x7f;
    let factor = 0x80;
    while (byte >= 0x80) {
      byte = bytes[at++]!;
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
    }
    if (at > bytes.length) throw this.problem('ends in the middle of a number', this.at);
    // A long one is infinite, or no number at all.
    if (!(value <= Number.MAX_SAFE_INTEGER)) throw this.problem('holds a number that is too large', this.at);
    this.at = at;
    return value;
  }

  /** How many things of at least so many bytes follow: never more than what is left can hold. */
  count(least: number): number {
    const { at } = this;
    const count = this.varint();
    if (count * least > this.left) throw this.problem(`tells of ${count} things, which it is too short for`, at);
    return count;
  }

  /** The next `length` bytes, not copied. */
  take(length: number): Uint8Array {
    const { at } = this;
    if (!(length >= 0 && length <= this.left)) throw this.problem('ends in the middle of a field', at);
    this.at = at + length;
    return this.bytes.subarray(at, at + length);
  }

  /** A text of UTF-8 behind its length. */
  text(): string {
    return TEXT_DECODER.decode(this.take(this.count(1)));
  }

  /** `length` bytes at a place, not copied; `part` is what they are. */
  part(at: number, length: number, part: string): Uint8Array {
    this.demand(at, length, part);
    return this.bytes.subarray(at, at + length);
  }

  /** A table of `count` entries of `size` bytes lies within the bytes. */
  table(at: number, count: number, size: number, part: string): void {
    if (count > 0) this.demand(at, count * size, part);
  }

  u8(at: number): number {
    return this.view(at, 1).getUint8(at);
  }

  u16(at: number): number {
    return this.view(at, 2).getUint16(at, true);
  }

  u32(at: number): number {
    return this.view(at, 4).getUint32(at, true);
  }

  u64(at: number): bigint {
    return this.view(at, 8).getBigUint64(at, true);
  }

  /** A 64-bit offset, size or address as a number: beyond 2^53 it is not exact, and beyond every bound. */
  size64(at: number): number {
    return Number(this.u64(at));
  }

  /** What ends at a byte of zero; undefined where none ends it. */
  terminated(at: number, limit: number): string | undefined {
    this.demand(at, 0, 'a text');
    const end = this.bytes.subarray(at, Math.min(this.bytes.length, at + limit)).indexOf(0);
    return end < 0 ? undefined : TEXT_DECODER.decode(this.bytes.subarray(at, at + end));
  }

  /** A sentence about a place of the bytes. */
  problem(fault: string, at = this.at): Problem {
    return new Problem(`${this.what} ${fault} (byte ${at} of ${this.bytes.length}).`);
  }

  private view(at: number, length: number): DataView {
    this.demand(at, length, 'a field');
    const { buffer, byteOffset, byteLength } = this.bytes;
    this.known ??= new DataView(buffer, byteOffset, byteLength);
    return this.known;
  }

  private demand(at: number, length: number, part: string): void {
    if (Number.isSafeInteger(at) && at >= 0 && length >= 0 && at + length <= this.bytes.length) return;
    throw this.problem(`is damaged or truncated: ${part} of ${length} bytes does not lie within it`, at);
  }
}
