import { transportChecksum } from './checksum.ts';
import { IP_PROTOCOLS } from './ipv4.ts';
import { joined, layout, putNumber, u8, u16 } from './layout.ts';

/** Types of ICMPv6 messages (RFC 4443, RFC 4861). */
export const ICMPV6_TYPES = {
  ...{ UNREACHABLE: 1, TOO_BIG: 2, TIME_EXCEEDED: 3, PARAMETER_PROBLEM: 4, ECHO_REQUEST: 128, ECHO_REPLY: 129 },
  ...{ ROUTER_SOLICITATION: 133, ROUTER_ADVERTISEMENT: 134 },
  ...{ NEIGHBOR_SOLICITATION: 135, NEIGHBOR_ADVERTISEMENT: 136, REDIRECT: 137 },
} as const;

const HEADER = layout(4, { type: u8(0), code: u8(1), checksum: u16(2) });
const CHECKSUM_AT = 2;

/** A message of ICMPv6: `body` is all that follows type, code and checksum. */
export interface Icmpv6Message {
  readonly type: number;
  readonly code: number;
  readonly body: Uint8Array;
}

/** A message by all of its bytes; undefined when they end within its first word. Sound: `transportChecksum` is 0. */
export function parseIcmpv6(bytes: Uint8Array): Icmpv6Message | undefined {
  const fields = HEADER.read(bytes);
  return fields === undefined
    ? undefined
    : { type: fields.type, code: fields.code, body: bytes.subarray(HEADER.length) };
}

/** Its bytes, the checksum made for the addresses it goes between. */
export function buildIcmpv6(message: Icmpv6Message, source: bigint, destination: bigint): Uint8Array {
  const bytes = joined(new Uint8Array(HEADER.length), message.body);
  HEADER.write(bytes, { ...message, checksum: 0 });
  const checksum = transportChecksum({ source, destination, protocol: IP_PROTOCOLS.ICMPV6 }, bytes);
  putNumber(bytes, CHECKSUM_AT, 2, checksum);
  return bytes;
}
