/** A part of a packet. Whoever wrote the packet may have lied about every length: what lies beyond it reads as zero. */
export class Span {
  private readonly all: Uint8Array;
  private readonly from: number;
  readonly length: number;

  constructor(all: Uint8Array, from = 0, to = all.length) {
    this.all = all;
    this.from = Math.min(Math.max(0, from), all.length);
    this.length = Math.max(0, Math.min(to, all.length) - this.from);
  }

  u8(at: number): number {
    return at >= 0 && at < this.length ? this.all[this.from + at]! : 0;
  }

  u16(at: number): number {
    return (this.u8(at) << 8) | this.u8(at + 1);
  }

  u32(at: number): number {
    return this.u16(at) * 0x1_0000 + this.u16(at + 2);
  }

  u48(at: number): number {
    return this.u16(at) * 0x1_0000_0000 + this.u32(at + 2);
  }

  u128(at: number): bigint {
    let value = 0n;
    for (const word of [0, 4, 8, 12]) value = (value << 32n) | BigInt(this.u32(at + word));
    return value;
  }

  /** Bytes of it, not copied; fewer where it ends. */
  bytes(at: number, length: number): Uint8Array {
    const [from, to] = [Math.min(at, this.length), Math.min(at + length, this.length)];
    return this.all.subarray(this.from + from, this.from + Math.max(from, to));
  }

  /** What follows its first bytes. */
  after(at: number): Span {
    return new Span(this.all, this.from + Math.min(at, this.length), this.from + this.length);
  }

  /** Its first bytes. */
  first(length: number): Span {
    return new Span(this.all, this.from, this.from + Math.max(0, Math.min(length, this.length)));
  }
}
