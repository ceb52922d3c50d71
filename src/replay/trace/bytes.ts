const TEXT_ENCODER = new TextEncoder();
const HIGH_BITS = 2 ** 28;
const FEW_BYTES = 16;

/** Bytes that grow as they are written. */
export interface ByteWriter {
  bytes: Uint8Array;
  length: number;
}

/** An empty writer. */
export const byteWriter = (capacity = 1 << 16): ByteWriter => ({ bytes: new Uint8Array(capacity), length: 0 });

/** What has been written, copied. */
export const written = (out: ByteWriter): Uint8Array => out.bytes.slice(0, out.length);

/** Make room for `more` bytes. */
export function reserve(out: ByteWriter, more: number): void {
  const needed = out.length + more;
  if (needed <= out.bytes.length) return;
  const grown = new Uint8Array(Math.max(needed, out.bytes.length * 2));
  grown.set(out.bytes.subarray(0, out.length));
  out.bytes = grown;
}

/** Append bytes as they are. */
export function writeBytes(out: ByteWriter, bytes: Uint8Array): void {
  const { length } = bytes;
  reserve(out, length);
  // Of a few bytes a call costs more than a loop.
  if (length <= FEW_BYTES) for (let i = 0; i < length; i += 1) out.bytes[out.length + i] = bytes[i]!;
  else out.bytes.set(bytes, out.length);
  out.length += length;
}

/** LEB128 of an integer 0..2^53-1. */
export function writeVarint(out: ByteWriter, value: number): void {
  reserve(out, 8);
  const { bytes } = out;
  let { length } = out;
  let rest = value;
  if (rest >= HIGH_BITS) {
    const low = rest % HIGH_BITS;
    rest = (rest - low) / HIGH_BITS;
    for (let shift = 0; shift < 28; shift += 7) bytes[length++] = ((low >>> shift) & 0x7f) | 0x80;
  }
  while (rest >= 0x80) {
    bytes[length++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[length++] = rest;
  out.length = length;
}

/** Append a text: length of its UTF-8 form, then that form. */
export function writeText(out: ByteWriter, text: string): void {
  const bytes = TEXT_ENCODER.encode(text);
  writeVarint(out, bytes.length);
  writeBytes(out, bytes);
}

/** Signed to unsigned with small absolute values staying small; exact for |value| < 2^52. */
export const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

/** The inverse of `zigzag`. */
export const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);
