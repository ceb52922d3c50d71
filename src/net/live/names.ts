/** Names the host is asked for. */
import { fromLatin1 } from '../../base/bytes.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { ipv4Of, ipv6Of } from '../../packets/addresses.ts';
import {
  DNS_PORT,
  DNS_RESULTS,
  DNS_TYPES,
  type DnsQuestion,
  type DnsRecord,
  parseDnsQuery,
} from '../../packets/dns.ts';
import { IP_PROTOCOLS } from '../../packets/ipv4.ts';
import type { Ends } from '../../packets/checksum.ts';
import { buildUdp, type UdpDatagram } from '../../packets/udp.ts';
import { putNumber, putWide } from '../../packets/layout.ts';
import { addressText } from '../tcp/connection.ts';
import { cutShort, told } from '../user/dns-answer.ts';
import { type Addressed, arrival, placeOf, type UserNet } from '../user/part.ts';
import { sendIp } from '../user/send.ts';
import { isNameAllowed } from './allowed.ts';

/** Whether the host is asked instead: its answer comes later. */
export function askedHost(net: UserNet, packet: Addressed, datagram: UdpDatagram, question: DnsQuestion): boolean {
  const type = question.type === DNS_TYPES.A ? 'A' : question.type === DNS_TYPES.AAAA ? 'AAAA' : undefined;
  const name = question.name.replace(/\.$/, '').toLowerCase();
  if (type === undefined || !isNameAllowed(net, name)) return false;
  const { effects } = net;
  effects.raise({
    ...{ kind: 'sim:name_asked', dev: effects.name, query: net.state.live.numbered + 1, name, type },
    ...{ client: addressText(packet.source), port: datagram.sourcePort, resolver: addressText(packet.destination) },
    ...{ offset: placeOf(net, datagram.payload), length: datagram.payload.length },
  });
  return true;
}

/** The host has only so many addresses to give, and no time for which they hold: a short one. */
const TTL = 60;
const MOST_ADDRESSES = 16;

/** getaddrinfo(3): there is no such name, or none such of this family. */
const NO_NAME = 2;

function recordOf(name: string, type: number, text: string): DnsRecord | undefined {
  const [ipv4, ipv6] = [ipv4Of(text), ipv6Of(text)];
  if (type === DNS_TYPES.A && ipv4 !== undefined) {
    const data = new Uint8Array(4);
    putNumber(data, 0, 4, ipv4);
    return { name, type, ttl: TTL, data };
  }
  if (type !== DNS_TYPES.AAAA || ipv6 === undefined) return undefined;
  const data = new Uint8Array(16);
  putWide(data, 0, ipv6);
  return { name, type, ttl: TTL, data };
}

/** The host knows what a name stands for, or that nobody does. */
export function nameFound(net: UserNet, { query: number, addresses, errno }: EventOf<'sim:name_found'>): void {
  const asked = net.state.live.queries.find((each) => each.query === number);
  const query = asked === undefined ? undefined : parseDnsQuery(fromLatin1(asked.bytes));
  if (asked === undefined || query?.question === undefined) return;
  const { name, type } = query.question;
  const texts = addresses.split(' ', MOST_ADDRESSES);
  const records = texts.flatMap((text) => recordOf(name, type, text) ?? []);
  const result = errno === 0 ? DNS_RESULTS.FOUND : errno === NO_NAME ? DNS_RESULTS.NO_NAME : DNS_RESULTS.FAILURE;
  const answer = { result, records };
  told(net, query.question, answer);
  const ends = { source: asked.resolver, destination: asked.client, protocol: IP_PROTOCOLS.UDP } as Ends;
  const payload = cutShort(query, answer);
  const datagram = buildUdp({ sourcePort: DNS_PORT, destinationPort: asked.port, payload }, ends);
  sendIp(net, { ...ends, payload: datagram, due: arrival(net, payload.length) });
}
