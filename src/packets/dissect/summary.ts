/** A packet in a line, as tcpdump words it. What it quotes is not printable yet. */
import { application, with_ } from './application-text.ts';
import type { Dissection } from './dissection.ts';
import type { PacketField } from './fields-table.ts';

const lengthOf = (d: Dissection, header: number): string =>
  `length ${Math.max(0, Number(d.one('frame.len') ?? 0) - header)}`;

/** A packet in a line: what it is, between whom, and what is wrong with it. */
export function summary(d: Dissection): string {
  const text = outer(d);
  return d.fault === undefined ? text : `${text} [cut off or malformed: ${d.fault}]`;
}

function outer(d: Dissection): string {
  const at = d.protocols.findIndex((protocol) => ['arp', 'ip', 'ipv6'].includes(protocol));
  const network = d.protocols[at];
  const tag = d.one('vlan.id') === undefined ? '' : `vlan ${d.fields.get('vlan.id')!.join('.')}, `;
  if (network === 'arp') return `${tag}${arp(d)}`;
  if (network !== undefined) return `${tag}${internet(d, network as 'ip' | 'ipv6', d.protocols[at + 1])}`;
  if (!d.protocols.includes('eth')) return `a frame of ${d.one('frame.len')} bytes`;
  const type = d.one('vlan.etype') ?? d.one('eth.type');
  const what = type === undefined ? '802.3' : `ethertype 0x${Number(type).toString(16).padStart(4, '0')}`;
  return `${tag}${d.one('eth.src')} > ${d.one('eth.dst')}, ${what}, ${lengthOf(d, 14)}`;
}

function arp(d: Dissection): string {
  const [asked, asks] = [d.one('arp.dst.proto_ipv4'), d.one('arp.src.proto_ipv4')];
  if (asks === undefined) return `ARP, operation ${d.one('arp.opcode') ?? 'unknown'}`;
  switch (d.one('arp.opcode')) {
    case 1:
      return `ARP, Request who-has ${asked} tell ${asks}`;
    case 2:
      return `ARP, Reply ${asks} is-at ${d.one('arp.src.hw_mac')}`;
    default:
      return `ARP, operation ${d.one('arp.opcode')}, ${asks} to ${asked}`;
  }
}

const TRANSPORTS: Readonly<Record<string, (d: Dissection) => string>> = { icmp, icmpv6, tcp, udp };

function internet(d: Dissection, network: 'ip' | 'ipv6', transport: string | undefined): string {
  const ports = transport === 'tcp' || transport === 'udp' ? transport : undefined;
  const from = `${d.one(`${network}.src`) ?? 'unknown'}${portText(d, ports, 'srcport')}`;
  const to = `${d.one(`${network}.dst`) ?? 'unknown'}${portText(d, ports, 'dstport')}`;
  const told = transport === undefined ? undefined : TRANSPORTS[transport];
  const what = told === undefined ? plain(d, network) : told(d);
  return `${network === 'ip' ? 'IP' : 'IP6'} ${from} > ${to}: ${what}${fragment(d, network)}`;
}

const portText = (d: Dissection, transport: 'tcp' | 'udp' | undefined, end: 'srcport' | 'dstport'): string =>
  transport === undefined ? '' : `.${d.one(`${transport}.${end}`) ?? 'unknown'}`;

const NAMES: Readonly<Record<number, string>> = { 1: 'ICMP', 2: 'IGMP', 6: 'TCP', 17: 'UDP', 58: 'ICMP6' };

/** What follows is not read: the rest of a fragment, or nothing that is known here. */
function plain(d: Dissection, network: 'ip' | 'ipv6'): string {
  const number = Number(d.one(network === 'ip' ? 'ip.proto' : 'ipv6.nxt') ?? -1);
  const length =
    network === 'ip'
      ? Number(d.one('ip.len') ?? 0) - Number(d.one('ip.hdr_len') ?? 0)
      : Number(d.one('ipv6.plen') ?? 0);
  return `${NAMES[number] ?? `protocol ${number}`}, length ${Math.max(0, length)}`;
}

function fragment(d: Dissection, network: 'ip' | 'ipv6'): string {
  const [offset, more, id] =
    network === 'ip'
      ? [d.one('ip.frag_offset'), d.one('ip.flags.mf'), d.one('ip.id')]
      : [d.one('ipv6.fraghdr.offset'), d.one('ipv6.fraghdr.more'), d.one('ipv6.fraghdr.ident')];
  if (offset === undefined || (offset === 0 && more === 0)) return '';
  return ` (fragment of ${id} at ${8 * Number(offset)}${more === 1 ? ', more follow' : ', the last'})`;
}

const ICMP_TYPES: Readonly<Record<number, string>> = {
  ...{ 0: 'echo reply', 3: 'unreachable', 4: 'source quench', 5: 'redirect', 8: 'echo request' },
  ...{ 11: 'time exceeded', 12: 'parameter problem', 13: 'timestamp query', 14: 'timestamp reply' },
};

const UNREACHABLE = ['net', 'host', 'protocol', 'port', 'without a fragment'];

function icmp(d: Dissection): string {
  const type = Number(d.one('icmp.type'));
  const code = Number(d.one('icmp.code'));
  const what = ICMP_TYPES[type] ?? `type ${type}`;
  if (type === 3) return `ICMP ${quoted(d, 'ip')} ${UNREACHABLE[code] ?? `code ${code}`} unreachable`;
  if (d.one('icmp.seq') === undefined) return `ICMP ${what}${code === 0 ? '' : `, code ${code}`}`;
  return `ICMP ${what},${with_(d, 'id', 'icmp.ident')},${with_(d, 'seq', 'icmp.seq')}, ${payloadText(d)}`;
}

/** To whom the packet was that an error is about, with its port. */
function quoted(d: Dissection, network: 'ip' | 'ipv6'): string {
  const to = d.fields.get(`${network}.dst`)?.[1] ?? 'what it was';
  const port = d.one('udp.dstport') ?? d.one('tcp.dstport');
  return port === undefined ? `${to}` : `${to}.${port}`;
}

const payloadText = (d: Dissection): string => {
  const [all, header] = [d.one('ip.len'), d.one('ip.hdr_len')].map(Number);
  return `length ${Math.max(0, all! - header!)}`;
};

const ICMPV6_TYPES: Readonly<Record<number, string>> = {
  ...{ 1: 'unreachable', 2: 'packet too big', 3: 'time exceeded', 4: 'parameter problem', 128: 'echo request' },
  ...{ 129: 'echo reply', 130: 'multicast listener query', 131: 'multicast listener report' },
  ...{ 132: 'multicast listener done', 133: 'router solicitation', 134: 'router advertisement' },
  ...{ 135: 'neighbor solicitation', 136: 'neighbor advertisement', 137: 'redirect' },
  143: 'multicast listener report v2',
};

function icmpv6(d: Dissection): string {
  const type = Number(d.one('icmpv6.type'));
  const asked = with_(d, 'who has', 'icmpv6.nd.ns.target_address');
  const told = with_(d, 'tgt is', 'icmpv6.nd.na.target_address');
  const echo = d.one('icmpv6.echo.sequence_number');
  const number =
    echo === undefined ? '' : ` id ${d.one('icmpv6.echo.identifier')}, seq ${d.one('icmpv6.echo.sequence_number')}`;
  const more = [asked, told, number].filter((text) => text !== '').join(',');
  const about = type > 0 && type < 5 && d.protocols.includes('ipv6') ? ` of ${quoted(d, 'ipv6')}` : '';
  const what = `${ICMPV6_TYPES[type] ?? `type ${type}`}${about}`;
  return `ICMP6, ${what}${more === '' ? '' : `,${more}`}, length ${d.one('ipv6.plen')}`;
}

const LETTERS = [
  ...([
    ['fin', 'F'],
    ['syn', 'S'],
    ['reset', 'R'],
    ['push', 'P'],
    ['urg', 'U'],
    ['ece', 'E'],
    ['cwr', 'W'],
    ['ack', '.'],
  ] as const),
];

function tcp(d: Dissection): string {
  const flags = LETTERS.filter(([name]) => d.one(`tcp.flags.${name}`) === 1).map(([, letter]) => letter);
  const length = Number(d.one('tcp.len') ?? 0);
  const from = Number(d.one('tcp.seq') ?? d.one('tcp.seq_raw'));
  const isTold = length > 0 || ['tcp.flags.syn', 'tcp.flags.fin', 'tcp.flags.reset'].some((name) => isSet(d, name));
  const seq = isTold ? `, seq ${length > 0 ? `${from}:${(from + length) % 2 ** 32}` : from}` : '';
  const ack = isSet(d, 'tcp.flags.ack') ? `, ack ${d.one('tcp.ack') ?? d.one('tcp.ack_raw')}` : '';
  const options = d.options.length === 0 ? '' : `, options [${d.options.join(',')}]`;
  const window = d.one('tcp.window_size_value') ?? 'unknown';
  const head = `Flags [${flags.join('') || 'none'}]${seq}${ack}, win ${window}${options}, length ${length}`;
  return `${head}${application(d)}`;
}

const isSet = (d: Dissection, name: string): boolean => d.one(name as PacketField) === 1;

function udp(d: Dissection): string {
  const told = application(d);
  const length = Math.max(0, Number(d.one('udp.length') ?? 8) - 8);
  return told === '' ? `UDP, length ${length}` : told.slice(2);
}
