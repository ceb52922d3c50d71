import type { Ns } from '../../base/units.ts';
import type { Addressed, UserNet } from './part.ts';

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
  readonly due?: Ns;
}

/**
 * Send a packet of IPv4 (addresses are numbers) or IPv6 (bigints): its identification is the next, what is longer than
 * 1,500 bytes goes in fragments, and it has libslirp's Ethernet addresses. Where nobody knows the destination's, it
 * waits for a second and that is asked for.
 */
export function sendIp(_net: UserNet, _packet: Outgoing<number> | Outgoing<bigint>): void {}

/** An error to tell a sender of. */
export interface IcmpError {
  readonly type: number;
  readonly code: number;
  /** Who says so; default: the gateway, or of IPv6 its address on the link. */
  readonly source?: number | bigint;
  readonly due?: Ns;
}

/** Tell the sender of a packet that it came to nothing, by ICMP or ICMPv6, unless RFC 1122 3.2.2 forbids. */
export function sendIcmpError(_net: UserNet, _about: Addressed, _error: IcmpError): void {}
