import { internetChecksum, transportChecksum } from '../../packets/checksum.ts';
import { ICMP_TYPES, buildIcmp, parseIcmp } from '../../packets/icmp.ts';
import { IP_PROTOCOLS, IPV4_HEADER, type ParsedIpv4, parseIpv4 } from '../../packets/ipv4.ts';
import { NOTHING, putNumber } from '../../packets/layout.ts';
import { parseTcp } from '../../packets/tcp.ts';
import { parseUdp } from '../../packets/udp.ts';
import { receiveSegment } from '../tcp/index.ts';
import { answerFrom, isHost } from '../world/index.ts';
import { deliver, NO_NETWORK } from './deliver.ts';
import { receiveDhcp } from './dhcp.ts';
import { DNS_PORT, receiveDnsQuery } from './dns.ts';
import { keepFragment } from './fragments.ts';
import type { UserNet } from './part.ts';
import { sendIcmpError, sendIp } from './send.ts';
import { receiveTftp, TFTP_PORT } from './tftp.ts';
import { DHCP_PORTS } from '../../packets/dhcp.ts';
import { IPV4_BROADCAST } from '../../packets/addresses.ts';
import type { UdpDatagram } from '../../packets/udp.ts';

const IN_TRANSIT = { type: ICMP_TYPES.TIME_EXCEEDED, code: 0 };
const LARGEST_TTL = 255;

/** A packet of the guest's. */
export function receiveIpv4(net: UserNet, bytes: Uint8Array): void {
  const packet = net.network.hasIpv4 ? parseIpv4(bytes) : undefined;
  if (packet === undefined || internetChecksum(packet.header) !== 0) return;
  if (packet.ttl === 0) {
    sendIcmpError(net, packet, IN_TRANSIT);
    return;
  }
  const isPart = packet.moreFragments || packet.fragmentOffset > 0;
  const whole = isPart ? keepFragment(net, packet) : { net, datagram: packet };
  if (whole !== undefined) receiveDatagram(whole.net, whole.datagram);
}

function receiveDatagram(net: UserNet, datagram: ParsedIpv4): void {
  if (datagram.protocol === IP_PROTOCOLS.ICMP) receiveIcmp(net, datagram);
  else if (datagram.protocol === IP_PROTOCOLS.UDP) receiveUdp(net, datagram);
  else if (datagram.protocol === IP_PROTOCOLS.TCP) receiveTcp(net, datagram);
}

/** An echo comes back from whom it went to; what else ICMP says is for nobody. */
function receiveIcmp(net: UserNet, packet: ParsedIpv4): void {
  const message = parseIcmp(packet.payload);
  if (message?.type !== ICMP_TYPES.ECHO_REQUEST || internetChecksum(packet.payload) !== 0) return;
  const { source, destination, tos, dontFragment, protocol } = packet;
  const payload = buildIcmp({ ...message, type: ICMP_TYPES.ECHO_REPLY });
  const ends = { source: destination, destination: source, protocol };
  const reply = { ...ends, payload, tos, dontFragment, ttl: LARGEST_TTL };
  if (destination === net.network.host || destination === net.network.dns) sendIp(net, reply);
  else if (net.setup.restrict) return;
  else if (isHost(net, destination)) answerFrom(net, packet, reply);
  else sendIcmpError(net, packet, NO_NETWORK);
}

/** As it stands without options and without what follows the datagram: what errors repeat. */
function strippedTo(packet: ParsedIpv4, payload: Uint8Array): ParsedIpv4 {
  const header = packet.header.slice(0, IPV4_HEADER);
  putNumber(header, 0, 1, 0x45);
  putNumber(header, 2, 2, IPV4_HEADER + payload.length);
  return { ...packet, header, options: NOTHING, payload };
}

function receiveUdp(net: UserNet, whole: ParsedIpv4): void {
  const datagram = parseUdp(whole.payload);
  if (datagram === undefined) return;
  const packet = strippedTo(whole, datagram.bytes);
  if (datagram.checksum !== 0 && transportChecksum(packet, datagram.bytes) !== 0) return;
  if (isServed(net, packet, datagram) || net.setup.restrict) return;
  const isQuery = packet.destination === net.network.dns && datagram.destinationPort === DNS_PORT;
  if (packet.ttl === 1) sendIcmpError(net, packet, IN_TRANSIT);
  else if (isQuery) receiveDnsQuery(net, packet, datagram);
  else deliver(net, packet, datagram);
}

/** Whether a datagram is for a service of the gateway's, which has it then. */
function isServed(net: UserNet, packet: ParsedIpv4, datagram: UdpDatagram): boolean {
  const { destination } = packet;
  const { destinationPort: port } = datagram;
  const isGateway = destination === net.network.host;
  if (port === DHCP_PORTS.SERVER && (isGateway || destination === IPV4_BROADCAST)) {
    receiveDhcp(net, datagram.payload);
    return true;
  }
  if (port !== TFTP_PORT || !isGateway) return false;
  receiveTftp(net, packet, datagram);
  return true;
}

function receiveTcp(net: UserNet, packet: ParsedIpv4): void {
  const segment = parseTcp(packet.payload);
  if (segment !== undefined && transportChecksum(packet, segment.bytes) === 0) receiveSegment(net, packet, segment);
}
