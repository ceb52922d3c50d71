import { invariant } from '../../base/invariant.ts';
import type { Ns } from '../../base/units.ts';
import type { Effects } from '../../devices/device.ts';
import type { ParsedIpv4 } from '../../packets/ipv4.ts';
import type { Ipv6Packet } from '../../packets/ipv6.ts';
import type { Network } from './network.ts';
import type { UserNetSetup } from './setup.ts';
import type { UserNetState } from './state.ts';

/** User networking at work: what it was made with, its addresses, how it stands, what it may do. */
export interface UserNet {
  readonly setup: UserNetSetup;
  readonly network: Network;
  /** As it is now: whoever raises a fact sees it change. */
  readonly state: UserNetState;
  readonly effects: Effects;
  /** The bytes of the state's `packet`. */
  readonly packet: Uint8Array;
}

/** Where something lies in the packet that came last, for facts. */
export function placeOf({ packet }: UserNet, bytes: Uint8Array): number {
  if (bytes.length === 0) return 0;
  const place = bytes.byteOffset - packet.byteOffset;
  const isInside = bytes.buffer === packet.buffer && place >= 0 && place + bytes.length <= packet.length;
  invariant(isInside, 'what was read lies in the packet that came', { place, length: bytes.length });
  return place;
}

/** A packet that was read: of IPv4 its addresses are numbers, of IPv6 bigints. */
export type Addressed = ParsedIpv4 | Ipv6Packet;

/** Whether it is of IPv4. */
export const isIpv4 = (packet: Addressed): packet is ParsedIpv4 => typeof packet.source === 'number';

/** When a packet of so many bytes is at the guest that a host behind the gateway sends now. */
export const arrival = ({ effects }: UserNet, length: number): Ns => effects.now + effects.travel(length);
