import { internetChecksum } from './checksum.ts';
import { NOTHING, numberAt, putNumber } from './layout.ts';

/** Protocol numbers, of IPv4 and as next headers of IPv6. */
export const IP_PROTOCOLS = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58 } as const;

/** Where its fields begin (RFC 791, 3.1). */
const AT = {
  ...{ VERSION: 0, TOS: 1, LENGTH: 2, ID: 4, FLAGS: 6, TTL: 8, PROTOCOL: 9, CHECKSUM: 10, SOURCE: 12 },
  ...{ DESTINATION: 16 },
} as const;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const OFFSET = 0x1fff;

/** Bytes of a header without options. */
export const IPV4_HEADER = 20;

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
  if (bytes.length < IPV4_HEADER) return undefined;
  const first = bytes[AT.VERSION]!;
  const length = (first & 15) * 4;
  const total = numberAt(bytes, AT.LENGTH, 2);
  if (first >> 4 !== 4 || length < IPV4_HEADER || total < length || total > bytes.length) return undefined;
  const flags = numberAt(bytes, AT.FLAGS, 2);
  return {
    tos: bytes[AT.TOS]!,
    id: numberAt(bytes, AT.ID, 2),
    dontFragment: (flags & DONT_FRAGMENT) !== 0,
    moreFragments: (flags & MORE_FRAGMENTS) !== 0,
    fragmentOffset: (flags & OFFSET) * 8,
    ttl: bytes[AT.TTL]!,
    protocol: bytes[AT.PROTOCOL]!,
    checksum: numberAt(bytes, AT.CHECKSUM, 2),
    source: numberAt(bytes, AT.SOURCE, 4),
    destination: numberAt(bytes, AT.DESTINATION, 4),
    header: bytes.subarray(0, length),
    options: bytes.subarray(IPV4_HEADER, length),
    payload: bytes.subarray(length, total),
  };
}

/** What most packets are: not fragmented, without options. */
export const WHOLE_IPV4 = {
  ...{ tos: 0, dontFragment: false, moreFragments: false, fragmentOffset: 0, options: NOTHING },
} as const;

/** Its bytes, the header's checksum made. `options` are a multiple of 4 bytes long. */
export function buildIpv4(packet: Ipv4Packet): Uint8Array {
  const { options, payload, dontFragment, moreFragments, fragmentOffset } = packet;
  const length = IPV4_HEADER + options.length;
  const bytes = new Uint8Array(length + payload.length);
  const flags = (dontFragment ? DONT_FRAGMENT : 0) | (moreFragments ? MORE_FRAGMENTS : 0);
  bytes[AT.VERSION] = 0x40 | (length / 4);
  bytes[AT.TOS] = packet.tos;
  putNumber(bytes, AT.LENGTH, 2, bytes.length);
  putNumber(bytes, AT.ID, 2, packet.id);
  putNumber(bytes, AT.FLAGS, 2, flags | (fragmentOffset / 8));
  bytes[AT.TTL] = packet.ttl;
  bytes[AT.PROTOCOL] = packet.protocol;
  putNumber(bytes, AT.SOURCE, 4, packet.source);
  putNumber(bytes, AT.DESTINATION, 4, packet.destination);
  bytes.set(options, IPV4_HEADER);
  putNumber(bytes, AT.CHECKSUM, 2, internetChecksum(bytes.subarray(0, length)));
  bytes.set(payload, length);
  return bytes;
}
