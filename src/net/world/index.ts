import type { ParsedUdp } from '../../packets/udp.ts';
import type { Addressed, UserNet } from '../user/part.ts';

/** What a name stands for: `value` is an address, or for CNAME and PTR another name. */
export interface NameRecord {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR';
  readonly value: string;
  /** Seconds. */
  readonly ttl?: number;
}

/** Who is at the other end of the wire. */
export interface World {
  readonly names?: readonly NameRecord[];
}

/** A datagram to whoever has its destination, which is not a service of user networking itself. */
export function receiveDatagram(_net: UserNet, _ip: Addressed, _datagram: ParsedUdp): void {}

/** Whether an address (a number: IPv4, a bigint: IPv6) is somebody's, who answers echoes. */
export const isHost = (_net: UserNet, _address: number | bigint): boolean => false;
