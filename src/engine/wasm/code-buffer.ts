/** Bytes one operation never exceeds: an opcode with its prefix, and 16 bytes of immediates or two LEBs. */
const MOST_OF_AN_OPERATION = 32;

/** Bytes of code, written in place. It grows. Numbers are LEB128 (WebAssembly Core Specification 2.0, 5.2.2). */
export class CodeBuffer {
  private bytes: Uint8Array;
  /** Where the next byte goes. */
  length = 0;

  /** `capacity`: bytes to begin with. */
  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Make room for one operation more. */
  reserve(): void {
    if (this.length + MOST_OF_AN_OPERATION > this.bytes.length) this.grow(2 * this.bytes.length);
  }
  private grow(capacity: number): void {
    const wider = new Uint8Array(Math.max(capacity, 2 * MOST_OF_AN_OPERATION));
    wider.set(this.bytes.subarray(0, this.length));
    this.bytes = wider;
  }

  /** The byte at a place that has been written. */
  patch(at: number, value: number): void {
    this.bytes[at] = value;
  }
  byte(value: number): void {
    this.bytes[this.length++] = value;
  }
  unsigned(value: number): void {
    const { bytes } = this;
    let rest = value >>> 0;
    while (rest >= 0x80) {
      bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[this.length++] = rest;
  }
  /** Of 32 bits. */
  signed(value: number): void {
    const { bytes } = this;
    let rest = value | 0;
    while (rest < -0x40 || rest >= 0x40) {
      bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    bytes[this.length++] = rest & 0x7f;
  }
  /** Of 64 bits, in two halves. */
  signed64(low: number, high: number): void {
    const { bytes } = this;
    let [lower, upper] = [low, high];
    while (upper !== lower >> 31 || lower < -0x40 || lower >= 0x40) {
      bytes[this.length++] = (lower & 0x7f) | 0x80;
      lower = (lower >>> 7) | (upper << 25);
      upper >>= 7;
    }
    bytes[this.length++] = lower & 0x7f;
  }
  /** Bytes of any number. */
  append(more: Uint8Array): void {
    if (this.length + more.length > this.bytes.length) this.grow(2 * (this.length + more.length));
    this.bytes.set(more, this.length);
    this.length += more.length;
  }

  /** A copy of what has been written. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}
