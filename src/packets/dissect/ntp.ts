/** NTP (RFC 5905): who asks, who answers. */
import type { Dissection } from './dissection.ts';
import type { Span } from './span.ts';

const HEADER = 48;

export function ntp(d: Dissection, span: Span): void {
  if (span.length < HEADER) d.spoilt('ntp', 'its header is cut off');
  d.enter('ntp');
  d.add('ntp.flags.vn', (span.u8(0) >> 3) & 7);
  d.add('ntp.flags.mode', span.u8(0) & 7);
  d.add('ntp.stratum', span.u8(1));
}
