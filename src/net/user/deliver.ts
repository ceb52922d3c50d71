import { IPV4_BROADCAST } from '../../packets/addresses.ts';
import { ICMP_TYPES, UNREACHABLE_CODES } from '../../packets/icmp.ts';
import { ICMPV6_TYPES } from '../../packets/icmpv6.ts';
import type { ParsedUdp } from '../../packets/udp.ts';
import { sentOutside } from '../live/datagrams.ts';
import { isHost, receiveDatagram, takesDatagrams } from '../world/index.ts';
import { ALL_NODES } from './icmpv6.ts';
import { sharesPrefix } from './network.ts';
import { type Addressed, arrival, isIpv4, type UserNet } from './part.ts';
import { type IcmpError, sendIcmpError } from './send.ts';

/** What a sender is told whose network cannot be reached: at once, by the gateway. */
export const NO_NETWORK: IcmpError = { type: ICMP_TYPES.UNREACHABLE, code: UNREACHABLE_CODES.NETWORK };
const NO_ROUTE: IcmpError = { type: ICMPV6_TYPES.UNREACHABLE, code: 0 };

const PORT_UNREACHABLE_6 = 4;

/** What is behind the gateway's address is on the host itself, which says so; 127.0.0.0/8 is there, too. */
const LOOPBACK = 0x7f00_0001;
const LOOPBACK_BYTE = 127;
const LOOPBACK_6 = 1n;

const isLocalNumber = (address: number): boolean => address >>> 24 === LOOPBACK_BYTE;

/** Whether an address stands for the host itself. */
function isLoopback({ network }: UserNet, address: number | bigint): boolean {
  if (typeof address === 'number') return [network.host, IPV4_BROADCAST].includes(address) || isLocalNumber(address);
  return address === ALL_NODES || sharesPrefix(address, network.prefix6, network.prefixLength);
}

/** Why nobody takes a datagram to an address. */
function refusalOf(net: UserNet, { destination }: Addressed, length: number): IcmpError {
  const isV4 = typeof destination === 'number';
  const isLocal = isLoopback(net, destination);
  if (!isLocal && !isHost(net, destination)) return isV4 ? NO_NETWORK : NO_ROUTE;
  const due = arrival(net, length);
  if (isV4) {
    const source = isLocal && !isLocalNumber(destination) ? LOOPBACK : destination;
    return { type: ICMP_TYPES.UNREACHABLE, code: UNREACHABLE_CODES.PORT, source, due };
  }
  const source = isLocal ? LOOPBACK_6 : destination;
  return { type: ICMPV6_TYPES.UNREACHABLE, code: PORT_UNREACHABLE_6, source, due };
}

/** A datagram to somebody of the world, or to nobody. */
export function deliver(net: UserNet, packet: Addressed, datagram: ParsedUdp): void {
  const { network } = net;
  if (packet.destination === network.dns || packet.destination === network.dns6) {
    // The resolver does nothing else.
    sendIcmpError(net, packet, isIpv4(packet) ? NO_NETWORK : NO_ROUTE);
  } else if (takesDatagrams(net, packet.destination, datagram.destinationPort)) {
    receiveDatagram(net, packet, datagram);
  } else if (!isHost(net, packet.destination) && sentOutside(net, packet, datagram)) {
    return;
  } else {
    sendIcmpError(net, packet, refusalOf(net, packet, datagram.bytes.length));
  }
}
