import { internetChecksum } from './checksum.ts';
import { bits, joined, layout, NOTHING, putNumber, u8, u16, u32 } from './layout.ts';

/** Protocol numbers, of IPv4 and as next headers of IPv6. */
export const IP_PROTOCOLS = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58 } as const;

/** RFC 791. */
const HEADER = layout(20, {
  version: bits(0, 1, 4, 4),
  words: bits(0, 1, 0, 4),
  tos: u8(1),
  totalLength: u16(2),
  id: u16(4),
  flags: bits(6, 2, 13, 3),
  offset: bits(6, 2, 0, 13),
  ttl: u8(8),
  protocol: u8(9),
  checksum: u16(10),
  source: u32(12),
  destination: u32(16),
});

const CHECKSUM_AT = 10;
const DONT_FRAGMENT = 2;
const MORE_FRAGMENTS = 1;

/** Bytes of a header without options. */
export const IPV4_HEADER = HEADER.length;

/** A packet of IPv4, or a fragment of one. Addresses are numbers of 32 bits. */
export interface Ipv4Packet {
  readonly tos: number;
  readonly id: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** In bytes, a multiple of 8. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  /** Of `IP_PROTOCOLS`. */
  readonly protocol: number;
  readonly source: number;
  readonly destination: number;
  /** As they stand in the header, padded to words. */
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

/** One that was read: its header's bytes too, of which `internetChecksum` is 0 when they are sound. */
export interface ParsedIpv4 extends Ipv4Packet {
  readonly header: Uint8Array;
  readonly checksum: number;
}

/**
 * A packet by its bytes, of which those after its total length do not count; undefined when they end within the header
 * or before the packet does, or the header says what cannot be. The checksum is not looked at.
 */
export function parseIpv4(bytes: Uint8Array): ParsedIpv4 | undefined {
  const fields = HEADER.read(bytes);
  if (fields === undefined) return undefined;
  const { version, words, totalLength, flags, offset, ...rest } = fields;
  const length = words * 4;
  if (version !== 4 || length < HEADER.length || totalLength < length || totalLength > bytes.length) return undefined;
  return {
    ...rest,
    dontFragment: (flags & DONT_FRAGMENT) !== 0,
    moreFragments: (flags & MORE_FRAGMENTS) !== 0,
    fragmentOffset: offset * 8,
    header: bytes.subarray(0, length),
    options: bytes.subarray(HEADER.length, length),
    payload: bytes.subarray(length, totalLength),
  };
}

/** What most packets are: not fragmented, without options. */
export const WHOLE_IPV4 = {
  ...{ tos: 0, dontFragment: false, moreFragments: false, fragmentOffset: 0, options: NOTHING },
} as const;

/** Its bytes, the header's checksum made. `options` are a multiple of 4 bytes long. */
export function buildIpv4(packet: Ipv4Packet): Uint8Array {
  const length = HEADER.length + packet.options.length;
  const bytes = joined(new Uint8Array(HEADER.length), packet.options, packet.payload);
  HEADER.write(bytes, {
    ...packet,
    version: 4,
    words: length / 4,
    totalLength: bytes.length,
    flags: (packet.dontFragment ? DONT_FRAGMENT : 0) | (packet.moreFragments ? MORE_FRAGMENTS : 0),
    offset: packet.fragmentOffset / 8,
    checksum: 0,
  });
  putNumber(bytes, CHECKSUM_AT, 2, internetChecksum(bytes.subarray(0, length)));
  return bytes;
}
