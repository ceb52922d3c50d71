/** UDP (RFC 768). */
import { dhcp } from './dhcp.ts';
import { dhcpv6 } from './dhcpv6.ts';
import type { Dissection } from './dissection.ts';
import { dns } from './dns.ts';
import { ntp } from './ntp.ts';
import type { Span } from './span.ts';
import { tftp } from './tftp.ts';

const HEADER = 8;

/** Who listens where (IANA). 5353: names on the link (RFC 6762). */
const SERVICES: Readonly<Record<number, (d: Dissection, span: Span) => void>> = {
  53: dns,
  67: dhcp,
  68: dhcp,
  69: tftp,
  123: ntp,
  546: dhcpv6,
  547: dhcpv6,
  5353: dns,
};

export function udp(d: Dissection, span: Span): void {
  if (span.length < HEADER) d.spoilt('udp', 'its header is cut off');
  d.enter('udp');
  const [from, to, length] = [span.u16(0), span.u16(2), span.u16(4)];
  d.add('udp.srcport', from);
  d.add('udp.dstport', to);
  d.add('udp.length', length);
  d.add('udp.checksum', span.u16(6));
  if (length < HEADER) d.spoilt('udp', `${length} bytes with its header`);
  const payload = span.first(length).after(HEADER);
  if (payload.length > 0) (SERVICES[to] ?? SERVICES[from])?.(d, payload);
}
