import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import { buildUdp, type UdpDatagram } from '../../packets/udp.ts';
import { type Addressed, arrival, isIpv4, type UserNet } from './part.ts';
import { sendIp } from './send.ts';

/** A datagram from whom one went to, to whom it came from: it is on its way like a packet of any host. */
export function answerDatagram(net: UserNet, packet: Addressed, asked: UdpDatagram, payload: Uint8Array): void {
  const ports = { sourcePort: asked.destinationPort, destinationPort: asked.sourcePort };
  const protocol = IP_PROTOCOLS.UDP;
  const due = arrival(net, payload.length);
  if (isIpv4(packet)) {
    const ends = { source: packet.destination, destination: packet.source, protocol };
    sendIp(net, { ...ends, payload: buildUdp({ ...ports, payload }, ends), tos: packet.tos, due });
  } else {
    const ends = { source: packet.destination, destination: packet.source, protocol };
    sendIp(net, { ...ends, payload: buildUdp({ ...ports, payload }, ends), due });
  }
}
