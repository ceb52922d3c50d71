import type { ParsedUdp } from '../../packets/udp.ts';
import type { Addressed, UserNet } from '../user/part.ts';

/** A datagram to whoever has its destination, which is not a service of user networking itself. */
export function receiveDatagram(_net: UserNet, _ip: Addressed, _datagram: ParsedUdp): void {}

/** Whether an address (a number: IPv4, a bigint: IPv6) is somebody's, who answers echoes. */
export const isHost = (_net: UserNet, _address: number | bigint): boolean => false;
