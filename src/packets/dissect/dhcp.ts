/** DHCP (RFC 2131) and its options (RFC 2132). */
import { ethernetText, ipv4Text } from '../addresses.ts';
import type { Dissection } from './dissection.ts';
import type { PacketField } from './fields-table.ts';
import type { Span } from './span.ts';
import { terminated, textIn } from './text.ts';

/** Before the options: BOOTP's header. */
const HEADER = 236;
const COOKIE = 0x63_82_53_63;
const PAD = 0;
const END = 255;

export function dhcp(d: Dissection, span: Span): void {
  if (span.length < HEADER) d.spoilt('dhcp', 'its header is cut off');
  d.enter('dhcp');
  d.add('dhcp.type', span.u8(0));
  d.add('dhcp.id', span.u32(4));
  d.add('dhcp.secs', span.u16(8));
  d.add('dhcp.ip.client', ipv4Text(span.u32(12)));
  d.add('dhcp.ip.your', ipv4Text(span.u32(16)));
  d.add('dhcp.ip.server', ipv4Text(span.u32(20)));
  d.add('dhcp.ip.relay', ipv4Text(span.u32(24)));
  if (span.u8(1) === 1 && span.u8(2) === 6) d.add('dhcp.hw.mac_addr', ethernetText(span.u48(28)));
  const file = terminated(span, 108, 128);
  if (file !== '') d.add('dhcp.file', file);
  if (span.u32(HEADER) === COOKIE) options(d, span.after(HEADER + 4));
}

type Told = (d: Dissection, span: Span) => void;

const addresses =
  (field: PacketField): Told =>
  (d, span) => {
    for (let at = 0; at + 4 <= span.length; at += 4) d.add(field, ipv4Text(span.u32(at)));
  };
const text =
  (field: PacketField): Told =>
  (d, span) => {
    if (span.length > 0) d.add(field, textIn(span, 0, span.length));
  };

const OPTIONS: Readonly<Record<number, Told>> = {
  1: addresses('dhcp.option.subnet_mask'),
  3: addresses('dhcp.option.router'),
  6: addresses('dhcp.option.domain_name_server'),
  12: text('dhcp.option.hostname'),
  15: text('dhcp.option.domain_name'),
  50: addresses('dhcp.option.requested_ip_address'),
  51: (d, span) => d.add('dhcp.option.ip_address_lease_time', span.u32(0)),
  53: (d, span) => d.add('dhcp.option.dhcp', span.u8(0)),
  54: addresses('dhcp.option.dhcp_server_id'),
  60: text('dhcp.option.vendor_class_id'),
  // A client is known by its Ethernet address, if the first byte says so.
  61(d, span) {
    if (span.u8(0) === 1 && span.length === 7) d.add('dhcp.hw.mac_addr', ethernetText(span.u48(1)));
  },
};

function options(d: Dissection, from: Span): void {
  for (let rest = from; rest.length > 0; ) {
    const code = rest.u8(0);
    if (code === END) return;
    if (code === PAD) {
      rest = rest.after(1);
      continue;
    }
    const length = rest.u8(1);
    if (rest.length < 2 || length > rest.length - 2) d.spoilt('dhcp', `option ${code} is cut off`);
    OPTIONS[code]?.(d, rest.after(2).first(length));
    rest = rest.after(2 + length);
  }
}
