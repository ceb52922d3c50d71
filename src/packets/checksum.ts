import { NOTHING } from './layout.ts';

/** RFC 1071: 16-bit words added up, not folded yet. A last byte alone is the upper half of a word. */
function sumOf(bytes: Uint8Array, start: number): number {
  let sum = start;
  const even = bytes.length & ~1;
  for (let at = 0; at < even; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
  return even < bytes.length ? sum + (bytes[even]! << 8) : sum;
}

/** A sum of 16-bit words as one of them, what went over added again. */
export function folded(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest & 0xffff) + Math.floor(rest / 0x10000);
  return rest;
}

/**
 * The internet checksum (RFC 1071) of some bytes: what to put where they have zeroes for it. Of bytes that have it
 * already it is 0 when they are sound.
 */
export const internetChecksum = (bytes: Uint8Array): number => ~folded(sumOf(bytes, 0)) & 0xffff;

/** Between whom a segment or datagram goes: addresses of IPv4 (numbers) or IPv6 (bigints), and the protocol. */
export type Ends =
  | { readonly source: number; readonly destination: number; readonly protocol: number }
  | { readonly source: bigint; readonly destination: bigint; readonly protocol: number };

function sumOfAddress(address: number | bigint): number {
  if (typeof address === 'number') return (address >>> 16) + (address & 0xffff);
  let sum = 0;
  for (let rest = address; rest > 0n; rest >>= 16n) sum += Number(rest & 0xffffn);
  return sum;
}

/** The sum of the pseudo-header (RFC 793, RFC 8200 8.1), folded: what a NIC is left with to finish. */
function pseudoSum({ source, destination, protocol }: Ends, length: number): number {
  const words = sumOfAddress(source) + sumOfAddress(destination) + protocol;
  return folded(words + (length >>> 16) + (length & 0xffff));
}

/**
 * The checksum of TCP, UDP or ICMPv6 over the pseudo-header, a header and what follows it: as `internetChecksum`. UDP
 * writes 0 as 0xffff: that is up to it.
 */
export const transportChecksum = (ends: Ends, header: Uint8Array, payload: Uint8Array = NOTHING): number =>
  ~folded(sumOf(payload, sumOf(header, pseudoSum(ends, header.length + payload.length)))) & 0xffff;
