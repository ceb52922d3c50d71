/** ICMP (RFC 792), ICMPv6 (RFC 4443) and neighbour discovery (RFC 4861). */
import { ethernetText, ipv6Text } from '../addresses.ts';
import type { Dissection } from './dissection.ts';
import type { Span } from './span.ts';

/** How the packet is read that an error quotes; absent: it is not. */
export interface Quoted {
  readonly ipv4?: (d: Dissection, span: Span) => void;
  readonly ipv6?: (d: Dissection, span: Span) => void;
}

/** Messages that are asked and answered: they are numbered. */
const NUMBERED: ReadonlySet<number> = new Set([0, 8, 13, 14, 17, 18]);
/** Those that quote the packet they are about. */
const QUOTING: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);

const HEADER = 8;

export function icmp(d: Dissection, span: Span, quoted: Quoted): void {
  if (span.length < 4) d.spoilt('icmp', 'its header is cut off');
  d.enter('icmp');
  const type = span.u8(0);
  d.add('icmp.type', type);
  d.add('icmp.code', span.u8(1));
  d.add('icmp.checksum', span.u16(2));
  if (span.length < HEADER) d.spoilt('icmp', 'its header is cut off');
  if (NUMBERED.has(type)) {
    d.add('icmp.ident', span.u16(4));
    d.add('icmp.seq', span.u16(6));
  } else if (QUOTING.has(type) && span.length > HEADER) quoted.ipv4?.(d, span.after(HEADER));
}

const ERRORS_END = 5;

export function icmpv6(d: Dissection, span: Span, quoted: Quoted): void {
  if (span.length < 4) d.spoilt('icmpv6', 'its header is cut off');
  d.enter('icmpv6');
  const type = span.u8(0);
  d.add('icmpv6.type', type);
  d.add('icmpv6.code', span.u8(1));
  d.add('icmpv6.checksum', span.u16(2));
  if (span.length < HEADER) d.spoilt('icmpv6', 'its header is cut off');
  if (type > 0 && type < ERRORS_END) quoted.ipv6?.(d, span.after(HEADER));
  else BODIES[type]?.(d, span);
}

const BODIES: Readonly<Record<number, (d: Dissection, span: Span) => void>> = {
  128: echo,
  129: echo,
  133: (d, span) => options(d, span.after(HEADER)),
  134(d, span) {
    if (span.length < 16) d.spoilt('icmpv6', 'an advertisement is cut off');
    d.add('icmpv6.nd.ra.cur_hop_limit', span.u8(4));
    d.add('icmpv6.nd.ra.router_lifetime', span.u16(6));
    options(d, span.after(16));
  },
  135: (d, span) => neighbour(d, span, 'icmpv6.nd.ns.target_address'),
  136: (d, span) => neighbour(d, span, 'icmpv6.nd.na.target_address'),
};

function echo(d: Dissection, span: Span): void {
  d.add('icmpv6.echo.identifier', span.u16(4));
  d.add('icmpv6.echo.sequence_number', span.u16(6));
}

type Target = 'icmpv6.nd.ns.target_address' | 'icmpv6.nd.na.target_address';

function neighbour(d: Dissection, span: Span, field: Target): void {
  if (span.length < 24) d.spoilt('icmpv6', 'a target is cut off');
  d.add(field, ipv6Text(span.u128(8)));
  options(d, span.after(24));
}

const OPTION = { source: 1, target: 2, prefix: 3, mtu: 5 } as const;

function options(d: Dissection, from: Span): void {
  for (let rest = from; rest.length > 0; ) {
    const length = 8 * rest.u8(1);
    if (length === 0 || length > rest.length) d.spoilt('icmpv6', 'an option is cut off');
    const type = rest.u8(0);
    if (type === OPTION.source || type === OPTION.target) d.add('icmpv6.opt.linkaddr', ethernetText(rest.u48(2)));
    else if (type === OPTION.prefix && length >= 32) d.add('icmpv6.opt.prefix', ipv6Text(rest.u128(16)));
    else if (type === OPTION.mtu) d.add('icmpv6.opt.mtu', rest.u32(4));
    rest = rest.after(length);
  }
}
