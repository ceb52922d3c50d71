import { textAt } from '../elf.ts';

/** Reads what DWARF is made of, in order. Beyond the end it throws a RangeError. DWARF 5, 7.6 and 7.4. */
export class DwarfBytes {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    if (end > bytes.length || at > end) throw new RangeError('beyond the section');
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, end);
  }

  get isOver(): boolean {
    return this.at >= this.end;
  }

  u8(): number {
    return this.view.getUint8(this.step(1));
  }

  u16(): number {
    return this.view.getUint16(this.step(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.step(4), true);
  }

  /** A number of so many bytes. */
  wide(size: number): bigint {
    if (size === 8) return this.view.getBigUint64(this.step(8), true);
    return BigInt(size === 4 ? this.u32() : size === 2 ? this.u16() : this.u8());
  }

  /** The same with its sign. */
  signedWide(size: number): bigint {
    return BigInt.asIntN(8 * size, this.wide(size));
  }

  unsigned(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
  }

  signed(): bigint {
    let value = 0n;
    for (let shift = 0n; ; ) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - (1n << shift);
    }
  }

  /** A LEB128 number that is an index or a length. */
  count(): number {
    return Number(this.unsigned());
  }

  text(): string {
    const start = this.at;
    while (this.u8() !== 0);
    return textAt(this.bytes, start);
  }

  /** The next bytes, to be read by themselves. */
  part(length: number): DwarfBytes {
    const start = this.at;
    this.at += length;
    return new DwarfBytes(this.bytes, start, this.at > this.end ? Number.POSITIVE_INFINITY : this.at);
  }

  skip(length: number): void {
    this.step(length);
  }

  /** The length of a unit, and how wide offsets in it are. */
  unit(): { readonly length: number; readonly offsetSize: 4 | 8 } {
    const length = this.u32();
    return length === 0xffff_ffff ? { length: Number(this.wide(8)), offsetSize: 8 } : { length, offsetSize: 4 };
  }

  private step(length: number): number {
    const { at } = this;
    if (!(length >= 0) || at + length > this.end) throw new RangeError('beyond the section');
    this.at = at + length;
    return at;
  }
}
