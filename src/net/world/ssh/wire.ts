/** Data types of SSH: RFC 4251, 5. */
import type { ByteReader } from '../../../base/byte-reader.ts';
import { latin1 } from '../../../base/bytes.ts';
import { numberAt, putNumber } from '../../../packets/layout.ts';

const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

/** Bytes of UTF-8. */
export const utf8 = (text: string): Uint8Array => ENCODER.encode(text);

export const takeNumber = (reader: ByteReader): number => numberAt(reader.take(4), 0, 4);
export const takeFlag = (reader: ByteReader): boolean => reader.take(1)[0] !== 0;
export const takeString = (reader: ByteReader): Uint8Array => reader.take(takeNumber(reader));
export const takeText = (reader: ByteReader): string => DECODER.decode(takeString(reader));
export const takeNames = (reader: ByteReader): readonly string[] => latin1(takeString(reader)).split(',');

/** Bytes one behind the other; a number is a byte. */
export function joined(...parts: readonly (Uint8Array | number)[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce<number>((sum, part) => sum + lengthOf(part), 0));
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'number') bytes[at] = part;
    else bytes.set(part, at);
    at += lengthOf(part);
  }
  return bytes;
}

const lengthOf = (part: Uint8Array | number): number => (typeof part === 'number' ? 1 : part.length);

/** A number of 32 bits. */
export function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  putNumber(bytes, 0, 4, value);
  return bytes;
}

/** Bytes behind their length; text is of UTF-8. */
export function sized(value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === 'string' ? utf8(value) : value;
  return joined(word(bytes.length), bytes);
}

export const nameList = (...list: readonly string[]): Uint8Array => sized(list.join(','));

/** A number that is not negative, of any length: its bytes, the highest first, are as short as can be. */
export function integer(bytes: Uint8Array): Uint8Array {
  const from = bytes.findIndex((byte) => byte !== 0);
  if (from < 0) return word(0);
  const rest = bytes.subarray(from);
  // Without it the number would be negative.
  return sized(rest[0]! >= 0x80 ? joined(0, rest) : rest);
}
