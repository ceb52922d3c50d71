/** Frames that scripts send. */
import type { Chance } from '../workloads.ts';
import { MAC } from './station.ts';

export const OTHER = [0x52, 0x54, 0x00, 0xab, 0xcd, 0xef];
export const MAC_LIKE = [0x02, 0x00, 0x00, 0x12, 0x34, 0x56];
export const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

export const word = (value: number): number[] => [(value >>> 8) & 0xff, value & 0xff];
export const long = (value: number): number[] => [...word(value >>> 16), ...word(value & 0xffff)];

export const noise = (chance: Chance, length: number): number[] => Array.from({ length }, () => chance.below(256));

/** A header of IPv4 without options, with room for its checksum. Nobody has these addresses: RFC 5737. */
const ipv4 = (protocol: number, length: number): number[] => [
  ...[0x45, 0, ...word(20 + length), ...word(0x1234), 0x40, 0, 64, protocol, 0, 0],
  ...[192, 0, 2, 1, 198, 51, 100, 7],
];

/** RFC 3849. */
const ipv6 = (protocol: number, length: number): number[] => [
  ...[0x60, 0, 0, 0, ...word(length), protocol, 64],
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
];

const TCP = 6;
const UDP = 17;

/** What a packet is made of, and where its headers lie. */
export interface Built {
  readonly bytes: number[];
  readonly ipStart: number;
  readonly ipSum: number;
  readonly ipEnd: number;
  readonly transportStart: number;
  readonly transportSum: number;
  readonly header: number;
  readonly isIpv4: boolean;
  readonly isTcp: boolean;
}

/** A packet of TCP or UDP, with zeroes or a pseudo header's sum for its checksums. */
export function packet(chance: Chance, payload: number): Built {
  const [isIpv4, isTcp] = [chance.below(4) !== 0, chance.below(3) !== 0];
  const transport = isTcp
    ? [
        ...word(0x1000),
        ...word(80),
        ...long(0xffff_f000),
        ...long(7),
        0x50,
        0x19,
        ...word(512),
        ...noise(chance, 2),
        0,
        0,
      ]
    : [...word(0x1000), ...word(53), ...word(8 + payload), ...noise(chance, 2)];
  const length = transport.length + payload;
  const network = isIpv4 ? ipv4(isTcp ? TCP : UDP, length) : ipv6(isTcp ? TCP : UDP, length);
  const transportStart = 14 + network.length;
  return {
    bytes: [...OTHER, ...MAC, ...word(isIpv4 ? 0x0800 : 0x86dd), ...network, ...transport, ...noise(chance, payload)],
    ipStart: 14,
    ipSum: 24,
    ipEnd: transportStart - 1,
    transportStart,
    transportSum: transportStart + (isTcp ? 16 : 6),
    header: transportStart + transport.length,
    isIpv4,
    isTcp,
  };
}
