/** Ethernet II, IEEE 802.3 and 802.1Q, and ARP (RFC 826). */
import { ethernetText, ipv4Text } from '../addresses.ts';
import { ETHERTYPES } from '../ethernet.ts';
import type { Dissection } from './dissection.ts';
import { ipv4, ipv6 } from './ip.ts';
import type { Span } from './span.ts';

const HEADER = 14;
const TAG = 4;
/** Smaller ones are lengths. */
const FIRST_TYPE = 0x600;

const TYPES: Readonly<Record<number, (d: Dissection, span: Span) => void>> = {
  [ETHERTYPES.IPV4]: (d, span) => ipv4(d, span),
  [ETHERTYPES.ARP]: arp,
  [ETHERTYPES.IPV6]: (d, span) => ipv6(d, span),
};

/** 802.1Q, and around it 802.1ad. */
const TAGS: readonly number[] = [ETHERTYPES.VLAN, 0x88a8];

/** A frame without its check sequence. */
export function ethernet(d: Dissection, span: Span): void {
  if (span.length < HEADER) d.spoilt('eth', `${span.length} of its ${HEADER} bytes`);
  d.enter('eth');
  d.add('eth.dst', ethernetText(span.u48(0)));
  d.add('eth.src', ethernetText(span.u48(6)));
  let type = span.u16(12);
  d.add(type < FIRST_TYPE ? 'eth.len' : 'eth.type', type);
  let rest = span.after(HEADER);
  while (TAGS.includes(type)) {
    if (rest.length < TAG) d.spoilt('vlan', 'its tag is cut off');
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
const ARP = 28;

function arp(d: Dissection, span: Span): void {
  if (span.length < 8) d.spoilt('arp', 'its header is cut off');
  d.enter('arp');
  d.add('arp.opcode', span.u16(6));
  const isUsual = span.u16(0) === ETHERNET && span.u16(2) === ETHERTYPES.IPV4 && span.u8(4) === 6 && span.u8(5) === 4;
  if (!isUsual) return;
  if (span.length < ARP) d.spoilt('arp', 'its addresses are cut off');
  d.add('arp.src.hw_mac', ethernetText(span.u48(8)));
  d.add('arp.src.proto_ipv4', ipv4Text(span.u32(14)));
  d.add('arp.dst.hw_mac', ethernetText(span.u48(18)));
  d.add('arp.dst.proto_ipv4', ipv4Text(span.u32(24)));
}
