/** Ethernet frames as scripts make them and say them. */
import { fromHexadecimal, hexadecimal } from '../../../../src/base/bytes.ts';

export const mac = fromHexadecimal;

/** Of the card in all scenes, and of who is at the other end of its wire. */
export const MAC = mac('525400123456');
export const PEER = mac('525400aabbcc');
export const broadcast = mac('ffffffffffff');

/** Of so many bytes: an address, another, a type nobody knows, and the letter A. */
export function frame(to: Uint8Array, from: Uint8Array, length: number, type = 0x88b5): Uint8Array {
  const bytes = new Uint8Array(length).fill(0x41);
  const start = [...to, ...from, type >> 8, type & 0xff];
  bytes.set(start.slice(0, length));
  return bytes;
}

export const hexOf = (bytes: ArrayLike<number>): string => hexadecimal(Uint8Array.from(bytes));

/** Lengths and first bytes, as Python prints a list. */
export const wireLine = (frames: readonly Uint8Array[]): string =>
  `[${frames.map((each) => `'${each.length}:${hexOf(each.subarray(0, 14))}..'`).join(', ')}]`;
