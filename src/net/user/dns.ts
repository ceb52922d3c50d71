import { ipv4Of, ipv4Text, ipv6Of } from '../../packets/addresses.ts';
import { type DnsAnswer, type DnsQuestion, type DnsRecord, dnsName, parseDnsQuery } from '../../packets/dns.ts';
import { buildDnsAnswer, DNS_CLASS_INTERNET, DNS_RESULTS, DNS_TYPES } from '../../packets/dns.ts';
import { NOTHING, putNumber, putWide } from '../../packets/layout.ts';
import type { UdpDatagram } from '../../packets/udp.ts';
import { type NameRecord, namesOf } from '../world/world.ts';
import { askedHost } from '../live/names.ts';
import { cutShort, told } from './dns-answer.ts';
import type { Addressed, UserNet } from './part.ts';
import { answerDatagram } from './answer.ts';

export { DNS_PORT } from '../../packets/dns.ts';

const DEFAULT_TTL = 300;
/** How many names one may stand for another by. */
const MOST_ALIASES = 8;

const isName = (a: string, b: string): boolean => plain(a) === plain(b);

/** A name as it is compared: DNS knows no capitals. */
const plain = (name: string): string => name.replace(/\.$/, '').replace(/[A-Z]/g, (letter) => letter.toLowerCase());

function dataOf({ type, value }: NameRecord): Uint8Array {
  if (type === 'CNAME' || type === 'PTR') return dnsName(value.replace(/\.$/, '')) ?? NOTHING;
  const bytes = new Uint8Array(type === 'A' ? 4 : 16);
  if (type === 'A') putNumber(bytes, 0, 4, ipv4Of(value) ?? 0);
  else putWide(bytes, 0, ipv6Of(value) ?? 0n);
  return bytes;
}

/** The name under which one asks what an address is called. */
function reverseOf(address: string): string {
  const ipv4 = ipv4Of(address);
  if (ipv4 !== undefined) return `${ipv4Text(ipv4).split('.').reverse().join('.')}.in-addr.arpa`;
  const digits = (ipv6Of(address) ?? 0n).toString(16).padStart(32, '0');
  return `${[...digits].reverse().join('.')}.ip6.arpa`;
}

/** What names stand for, with what follows of addresses: what they are called. */
const withReverses = (names: readonly NameRecord[]): readonly NameRecord[] => [
  ...names,
  ...names
    .filter(({ type }) => type === 'A' || type === 'AAAA')
    .map((record): NameRecord => ({ ...record, name: reverseOf(record.value), type: 'PTR', value: record.name })),
];

const answered = (record: NameRecord, name: string): DnsRecord => ({
  ...{ name, type: DNS_TYPES[record.type], ttl: record.ttl ?? DEFAULT_TTL, data: dataOf(record) },
});

/** What the world's names say to a question. */
export function resolve(names: readonly NameRecord[], { name: asked, type, class: of }: DnsQuestion): DnsAnswer {
  if (of !== DNS_CLASS_INTERNET) return { result: DNS_RESULTS.REFUSED, records: [] };
  const all = withReverses(names);
  const records: DnsRecord[] = [];
  let name = asked;
  for (let aliases = 0; aliases <= MOST_ALIASES; aliases++) {
    const known = all.filter((record) => isName(record.name, name));
    if (known.length === 0) return { result: aliases > 0 ? DNS_RESULTS.FOUND : DNS_RESULTS.NO_NAME, records };
    const found = known.filter((record) => type === DNS_TYPES.ANY || DNS_TYPES[record.type] === type);
    records.push(...found.map((record) => answered(record, name)));
    const alias = found.length > 0 ? undefined : known.find((record) => record.type === 'CNAME');
    if (alias === undefined) break;
    records.push(answered(alias, name));
    name = alias.value;
  }
  return { result: DNS_RESULTS.FOUND, records };
}

/** A query to the resolver. */
export function receiveDnsQuery(net: UserNet, packet: Addressed, datagram: UdpDatagram): void {
  const query = parseDnsQuery(datagram.payload);
  if (query === undefined) return;
  const { question, operation } = query;
  const { setup } = net;
  if (question === undefined || operation !== 0) {
    const result = operation === 0 ? DNS_RESULTS.FORMAT : DNS_RESULTS.NOT_DONE;
    answerDatagram(net, packet, datagram, buildDnsAnswer(query, { result, records: [] }));
    return;
  }
  const answer = resolve(namesOf(setup.world), question);
  if (answer.result === DNS_RESULTS.NO_NAME && askedHost(net, packet, datagram, question)) return;
  told(net, question, answer);
  answerDatagram(net, packet, datagram, cutShort(query, answer));
}
