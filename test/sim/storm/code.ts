/** Machine code whose labels are absolute 32-bit addresses. */
export class Code {
  readonly bytes: number[] = [];
  private readonly origin: number;
  private readonly places = new Map<string, number>();
  private readonly references: (readonly [at: number, to: string])[] = [];

  constructor(origin: number) {
    this.origin = origin;
  }

  /** Bytes, and after them the addresses of labels, if any. */
  emit(bytes: readonly number[], ...to: readonly string[]): this {
    this.bytes.push(...bytes);
    for (const name of to) {
      this.references.push([this.bytes.length, name]);
      this.bytes.push(0, 0, 0, 0);
    }
    return this;
  }

  /** From here on this name is this address. */
  label(name: string): this {
    this.places.set(name, this.origin + this.bytes.length);
    return this;
  }

  /** A multiple of `size` from here on. */
  align(size: number): this {
    while (this.bytes.length % size !== 0) this.bytes.push(0);
    return this;
  }

  word32(value: number): this {
    return this.emit([0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff));
  }

  word64(value: bigint): this {
    return this.word32(Number(value & 0xffff_ffffn)).word32(Number((value >> 32n) & 0xffff_ffffn));
  }

  addressOf(name: string): number {
    const place = this.places.get(name);
    if (place === undefined) throw new Error(`The code has no ${name}.`);
    return place;
  }

  /** The finished bytes. */
  assembled(): Uint8Array {
    const image = Uint8Array.from(this.bytes);
    const view = new DataView(image.buffer);
    for (const [at, to] of this.references) view.setUint32(at, this.addressOf(to), true);
    return image;
  }
}
