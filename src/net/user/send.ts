import type { Ns } from '../../base/units.ts';
import { buildIcmp, ICMP_TYPES } from '../../packets/icmp.ts';
import { buildIcmpv6, ICMPV6_TYPES } from '../../packets/icmpv6.ts';
import { buildIpv4, IP_PROTOCOLS, IPV4_HEADER, type Ipv4Packet, type ParsedIpv4 } from '../../packets/ipv4.ts';
import { buildIpv6, IPV6_HEADER, type Ipv6Packet } from '../../packets/ipv6.ts';
import { joined, NOTHING, putNumber } from '../../packets/layout.ts';
import { isGroup6, sendPacket } from './link.ts';
import { type Addressed, isIpv4, type UserNet } from './part.ts';

/** Bytes of the longest packet of IP. */
export const MTU = 1500;
const DEFAULT_TTL = 64;
const LARGEST_TTL = 255;

/** What goes into a packet of IP; who it is for is a guest on the link. */
export interface Outgoing<A extends number | bigint> {
  readonly source: A;
  readonly destination: A;
  /** Of `IP_PROTOCOLS`. */
  readonly protocol: number;
  readonly payload: Uint8Array;
  /** Of IPv4 alone; default 0, 64 and false. */
  readonly tos?: number;
  readonly ttl?: number;
  readonly dontFragment?: boolean;
  /** Virtual nanosecond at which it arrives at the guest: `arrival`. Absent: at once. */
  readonly due?: Ns | undefined;
}

const isOutgoing4 = (packet: Outgoing<number> | Outgoing<bigint>): packet is Outgoing<number> =>
  typeof packet.source === 'number';

/**
 * Send a packet of IPv4 (addresses are numbers) or IPv6 (bigints): its identification is the next, what is longer than
 * 1,500 bytes goes in fragments unless that is forbidden, and it has libslirp's Ethernet addresses. Where nobody knows
 * the destination's, it waits for a second and that is asked for.
 */
export function sendIp(net: UserNet, packet: Outgoing<number> | Outgoing<bigint>): void {
  if (isOutgoing4(packet)) {
    sendIpv4(net, packet);
    return;
  }
  const built = buildIpv6({ ...packet, trafficClass: 0, flowLabel: 0, hopLimit: LARGEST_TTL });
  sendPacket(net, packet.destination, built, packet.due);
}

/** A packet or a part of one. Field by field: what hosts send goes by here, and spreading objects takes longer. */
const header4 = (packet: Outgoing<number>, id: number, fragmentOffset: number, payload: Uint8Array): Ipv4Packet => ({
  tos: packet.tos ?? 0,
  id,
  dontFragment: packet.dontFragment ?? false,
  moreFragments: fragmentOffset + payload.length < packet.payload.length,
  fragmentOffset,
  ttl: packet.ttl ?? DEFAULT_TTL,
  protocol: packet.protocol,
  source: packet.source,
  destination: packet.destination,
  options: NOTHING,
  payload,
});

function sendIpv4(net: UserNet, packet: Outgoing<number>): void {
  const { destination, payload, due } = packet;
  const id = net.state.ipId;
  if (IPV4_HEADER + payload.length <= MTU) {
    sendPacket(net, destination, buildIpv4(header4(packet, id, 0, payload)), due);
    return;
  }
  if (packet.dontFragment === true) return;
  const most = (MTU - IPV4_HEADER) & ~7;
  for (let at = 0; at < payload.length; at += most) {
    const part = header4(packet, id, at, payload.subarray(at, at + most));
    sendPacket(net, destination, buildIpv4(part), due);
  }
}

/** An error to tell a sender of. */
export interface IcmpError {
  readonly type: number;
  readonly code: number;
  /** Who says so; default: the gateway, or of IPv6 its address on the link. */
  readonly source?: number | bigint;
  readonly due?: Ns;
  /** Of a packet that is too large for its way: what is not. */
  readonly mtu?: number;
  /** What it repeats of a packet of IPv6; default: all. */
  readonly repeated?: Uint8Array;
}

/** The most that an error repeats: one has 576 bytes at most. */
const MOST_REPEATED = 576 - IPV4_HEADER - 8;

/** Of ICMP, only these are answered by errors. */
const ANSWERED_BY_ERRORS: readonly number[] = [
  ...[ICMP_TYPES.ECHO_REPLY, ICMP_TYPES.ECHO_REQUEST, ICMP_TYPES.TIMESTAMP, ICMP_TYPES.TIMESTAMP_REPLY, 15, 16],
  ...[ICMP_TYPES.MASK_REQUEST, ICMP_TYPES.MASK_REPLY],
];

/** RFC 1122, 3.2.2: errors are not about errors, nor about all of a datagram's fragments, nor for nobody. */
const deservesError = ({ fragmentOffset, source, protocol, payload }: ParsedIpv4): boolean =>
  fragmentOffset === 0 &&
  (source & 0x0fff_ffff) !== 0 &&
  (protocol !== IP_PROTOCOLS.ICMP || ANSWERED_BY_ERRORS.includes(payload[0] ?? 0));

function sendError4(net: UserNet, about: ParsedIpv4, error: IcmpError): void {
  if (!deservesError(about)) return;
  const repeated = joined(about.header, about.payload).subarray(0, MOST_REPEATED);
  const { type, code, due, mtu = 0 } = error;
  sendIpv4(net, {
    source: typeof error.source === 'number' ? error.source : net.network.host,
    destination: about.source,
    protocol: IP_PROTOCOLS.ICMP,
    payload: buildIcmp({ type, code, rest: mtu, payload: repeated }),
    tos: (about.tos & 0x1e) | 0xc0,
    ttl: LARGEST_TTL,
    dontFragment: about.dontFragment,
    due,
  });
}

/** The gateway's address on the link. */
export const LINK_LOCAL = 0xfe80_0000_0000_0000_0000_0000_0000_0002n;

function sendError6(net: UserNet, about: Ipv6Packet, error: IcmpError): void {
  const { source: destination } = about;
  if (isGroup6(destination) || destination === 0n) return;
  const source = typeof error.source === 'bigint' ? error.source : LINK_LOCAL;
  const repeated = (error.repeated ?? buildIpv6(about)).subarray(0, MTU - IPV6_HEADER - 8);
  const body = joined(new Uint8Array(4), repeated);
  if (error.type === ICMPV6_TYPES.TOO_BIG) putNumber(body, 0, 4, error.mtu ?? MTU);
  const message = buildIcmpv6({ type: error.type, code: error.code, body }, source, destination);
  sendIp(net, { source, destination, protocol: IP_PROTOCOLS.ICMPV6, payload: message, due: error.due });
}

/** Tell the sender of a packet that it came to nothing, by ICMP or ICMPv6, unless RFC 1122 3.2.2 forbids. */
export function sendIcmpError(net: UserNet, about: Addressed, error: IcmpError): void {
  if (isIpv4(about)) sendError4(net, about, error);
  else sendError6(net, about, error);
}
