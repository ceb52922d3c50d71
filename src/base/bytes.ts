/** Characters handed to one call: an engine takes only so many arguments. */
const PIECE = 1 << 13;

const sliced = (bytes: ArrayLike<number>, from: number, to: number): number[] =>
  Array.prototype.slice.call(bytes, from, to);

/** Bytes as text, a byte a character. */
export function latin1(bytes: ArrayLike<number>): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE) {
    const piece = bytes instanceof Uint8Array ? bytes.subarray(at, at + PIECE) : sliced(bytes, at, at + PIECE);
    // Spreading would go through an iterator: a packet is told by this.
    text += String.fromCharCode.apply(undefined, piece as number[]);
  }
  return text;
}

/** The inverse of `latin1`. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Bytes in base64, as RFC 4648 writes it. */
export const base64 = (bytes: Uint8Array): string => btoa(latin1(bytes));

/** The inverse of `base64`. */
export const fromBase64 = (text: string): Uint8Array => fromLatin1(atob(text));

const digitsOf = (byte: number): string => byte.toString(16).padStart(2, '0');

/** Bytes as lower-case hexadecimal digits, two each. */
export function hexadecimal(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += digitsOf(byte);
  return text;
}

/** Bytes as Ethernet addresses are written: `52:54:00:12:34:56`. */
export const octetsText = (bytes: Iterable<number>): string => Array.from(bytes, digitsOf).join(':');

/** The inverse of `hexadecimal`. */
export const fromHexadecimal = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length / 2 }, (_, at) => Number.parseInt(text.slice(2 * at, 2 * at + 2), 16));
