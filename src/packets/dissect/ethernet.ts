/** Ethernet II, IEEE 802.3 and 802.1Q, and ARP (RFC 826). */
import { etherText, ipv4Text } from './address-text.ts';
import type { Dissection } from './dissection.ts';
import { ipv4, ipv6 } from './ip.ts';
import type { Span } from './span.ts';

const HEADER = 14;
const TAG = 4;
/** Smaller ones are lengths. */
const FIRST_TYPE = 0x600;

const TYPES: Readonly<Record<number, (d: Dissection, span: Span) => void>> = {
  0x0800: (d, span) => ipv4(d, span),
  0x0806: arp,
  0x86dd: (d, span) => ipv6(d, span),
};

const TAGS: readonly number[] = [0x8100, 0x88a8];

/** A frame without its check sequence. */
export function ethernet(d: Dissection, span: Span): void {
  if (span.length < HEADER) return d.spoilt('eth', `${span.length} of its ${HEADER} bytes`);
  d.enter('eth');
  d.add('eth.dst', etherText(span, 0));
  d.add('eth.src', etherText(span, 6));
  let type = span.u16(12);
  d.add(type < FIRST_TYPE ? 'eth.len' : 'eth.type', type);
  let rest = span.after(HEADER);
  while (TAGS.includes(type)) {
    if (rest.length < TAG) return d.spoilt('vlan', 'its tag is cut off');
    d.enter('vlan');
    d.add('vlan.priority', rest.u16(0) >> 13);
    d.add('vlan.id', rest.u16(0) & 0xfff);
    type = rest.u16(2);
    d.add('vlan.etype', type);
    rest = rest.after(TAG);
  }
  TYPES[type]?.(d, rest);
}

const ETHERNET = 1;
const IPV4 = 0x0800;
const ARP = 28;

function arp(d: Dissection, span: Span): void {
  if (span.length < 8) return d.spoilt('arp', 'its header is cut off');
  d.enter('arp');
  d.add('arp.opcode', span.u16(6));
  const isUsual = span.u16(0) === ETHERNET && span.u16(2) === IPV4 && span.u8(4) === 6 && span.u8(5) === 4;
  if (!isUsual) return;
  if (span.length < ARP) return d.spoilt('arp', 'its addresses are cut off');
  d.add('arp.src.hw_mac', etherText(span, 8));
  d.add('arp.src.proto_ipv4', ipv4Text(span, 14));
  d.add('arp.dst.hw_mac', etherText(span, 18));
  d.add('arp.dst.proto_ipv4', ipv4Text(span, 24));
}
