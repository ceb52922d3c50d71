import { transportChecksum } from '../../packets/checksum.ts';
import { DHCPV6_PORTS } from '../../packets/dhcpv6.ts';
import type { EthernetFrame } from '../../packets/ethernet.ts';
import { ICMPV6_TYPES } from '../../packets/icmpv6.ts';
import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import { IPV6_HEADER, type Ipv6Packet, parseIpv6 } from '../../packets/ipv6.ts';
import { numberAt } from '../../packets/layout.ts';
import { parseTcp } from '../../packets/tcp.ts';
import { parseUdp } from '../../packets/udp.ts';
import { receiveSegment } from '../tcp/index.ts';
import { deliver } from './deliver.ts';
import { receiveDhcpv6 } from './dhcpv6.ts';
import { DNS_PORT, receiveDnsQuery } from './dns.ts';
import { receiveIcmpv6 } from './icmpv6.ts';
import type { UserNet } from './part.ts';
import { MTU, sendIcmpError } from './send.ts';
import { receiveTftp, TFTP_PORT } from './tftp.ts';

const IN_TRANSIT = { type: ICMPV6_TYPES.TIME_EXCEEDED, code: 0 };
const TOO_BIG = { type: ICMPV6_TYPES.TOO_BIG, code: 0 };

const ALL_DHCP_SERVERS = 0xff02_0000_0000_0000_0000_0000_0001_0002n;

/** A packet of the guest's. */
export function receiveIpv6(net: UserNet, frame: EthernetFrame): void {
  const bytes = frame.payload;
  if (!net.network.hasIpv6 || bytes.length < IPV6_HEADER || bytes[0]! >> 4 !== 6) return;
  if (IPV6_HEADER + numberAt(bytes, 4, 2) > MTU) {
    const packet = parseIpv6(wholeOf(bytes));
    if (packet !== undefined) sendIcmpError(net, packet, { ...TOO_BIG, repeated: bytes });
    return;
  }
  const packet = parseIpv6(bytes);
  if (packet === undefined) return;
  if (packet.hopLimit === 0) sendIcmpError(net, packet, { ...IN_TRANSIT, repeated: bytes });
  else if (packet.protocol === IP_PROTOCOLS.ICMPV6) receiveIcmpv6(net, packet, frame.source);
  else if (packet.protocol === IP_PROTOCOLS.UDP) receiveUdp(net, packet);
  else if (packet.protocol === IP_PROTOCOLS.TCP) receiveTcp(net, packet);
}

/** A packet that says it is longer than it is, filled up. */
function wholeOf(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(IPV6_HEADER + numberAt(bytes, 4, 2));
  whole.set(bytes.subarray(0, whole.length));
  return whole;
}

function receiveUdp(net: UserNet, whole: Ipv6Packet): void {
  if (net.setup.restrict || transportChecksum(whole, whole.payload) !== 0) return;
  const datagram = parseUdp(whole.payload);
  if (datagram === undefined) return;
  const packet = { ...whole, payload: datagram.bytes };
  const { destination, hopLimit } = packet;
  const { destinationPort: port } = datagram;
  const { host6, dns6 } = net.network;
  const isGateway = destination === host6;
  if (port === DHCPV6_PORTS.SERVER && (isGateway || destination === ALL_DHCP_SERVERS)) {
    receiveDhcpv6(net, packet, datagram);
  } else if (port === TFTP_PORT && isGateway) receiveTftp(net, packet, datagram);
  else if (hopLimit === 1) sendIcmpError(net, packet, IN_TRANSIT);
  else if (destination === dns6 && port === DNS_PORT) receiveDnsQuery(net, packet, datagram);
  else deliver(net, packet, datagram);
}

function receiveTcp(net: UserNet, packet: Ipv6Packet): void {
  const segment = parseTcp(packet.payload);
  if (segment !== undefined && transportChecksum(packet, segment.bytes) === 0) receiveSegment(net, packet, segment);
}
