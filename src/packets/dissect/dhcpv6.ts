/** DHCPv6 (RFC 8415): what is asked. Messages of relays hold others, which are not read. */
import type { Dissection } from './dissection.ts';
import type { Span } from './span.ts';

const RELAYED = [12, 13] as const;

export function dhcpv6(d: Dissection, span: Span): void {
  if (span.length < 4) d.spoilt('dhcpv6', 'its header is cut off');
  d.enter('dhcpv6');
  const type = span.u8(0);
  d.add('dhcpv6.msgtype', type);
  if (!RELAYED.some((relayed) => relayed === type)) d.add('dhcpv6.xid', span.u32(0) % 0x100_0000);
}
