/** IPv4 (RFC 791) and IPv6 (RFC 8200). Fragments are not put together: what the first one holds is read. */
import { ipv4Text, ipv6Text } from '../addresses.ts';
import { IP_PROTOCOLS } from '../ipv4.ts';
import type { Dissection } from './dissection.ts';
import { icmp, icmpv6, type Quoted } from './icmp.ts';
import type { Span } from './span.ts';
import { tcp } from './tcp.ts';
import { udp } from './udp.ts';

/** What follows, by its number (IANA). */
const PAYLOADS: Readonly<Record<number, (d: Dissection, span: Span, quoted: Quoted) => void>> = {
  [IP_PROTOCOLS.ICMP]: icmp,
  [IP_PROTOCOLS.TCP]: tcp,
  [IP_PROTOCOLS.UDP]: udp,
  [IP_PROTOCOLS.ICMPV6]: icmpv6,
};

/** A packet that an error is about. What that one quotes is not looked at: an error is about no error. */
const QUOTED: Quoted = {
  ipv4: (d, span) => ipv4(d, span, {}),
  ipv6: (d, span) => ipv6(d, span, {}),
};

export function ipv4(d: Dissection, span: Span, quoted = QUOTED): void {
  const header = 4 * (span.u8(0) & 15);
  if (span.length < 20) d.spoilt('ip', 'its header is cut off');
  if (span.u8(0) >> 4 !== 4) d.spoilt('ip', `version ${span.u8(0) >> 4}`);
  d.enter('ip');
  d.add('ip.hdr_len', header);
  if (header < 20) d.spoilt('ip', `a header of ${header} bytes`);
  const [length, fragment] = [span.u16(2), span.u16(6)];
  d.add('ip.dsfield', span.u8(1));
  d.add('ip.len', length);
  d.add('ip.id', span.u16(4));
  d.add('ip.flags.df', (fragment >> 14) & 1);
  d.add('ip.flags.mf', (fragment >> 13) & 1);
  d.add('ip.frag_offset', fragment & 0x1fff);
  d.add('ip.ttl', span.u8(8));
  d.add('ip.proto', span.u8(9));
  d.add('ip.checksum', span.u16(10));
  d.add('ip.src', ipv4Text(span.u32(12)));
  d.add('ip.dst', ipv4Text(span.u32(16)));
  // A segment that is still to be cut has no length.
  if (length !== 0 && length < header) d.spoilt('ip', `${length} bytes with its header`);
  if (length > span.length && quoted === QUOTED) d.note('ip', `${span.length} of its ${length} bytes`);
  if ((fragment & 0x1fff) !== 0) return;
  const whole = length === 0 ? span : span.first(length);
  PAYLOADS[span.u8(9)]?.(d, whole.after(header), quoted);
}

const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60]);
const FRAGMENT = 44;

export function ipv6(d: Dissection, span: Span, quoted = QUOTED): void {
  if (span.length < 40) d.spoilt('ipv6', 'its header is cut off');
  if (span.u8(0) >> 4 !== 6) d.spoilt('ipv6', `version ${span.u8(0) >> 4}`);
  d.enter('ipv6');
  const length = span.u16(4);
  d.add('ipv6.tclass', (span.u16(0) >> 4) & 0xff);
  d.add('ipv6.flow', span.u32(0) % 0x10_0000);
  d.add('ipv6.plen', length);
  d.add('ipv6.nxt', span.u8(6));
  d.add('ipv6.hlim', span.u8(7));
  d.add('ipv6.src', ipv6Text(span.u128(8)));
  d.add('ipv6.dst', ipv6Text(span.u128(24)));
  if (length > span.length - 40 && quoted === QUOTED) d.note('ipv6', `${span.length - 40} of its ${length} bytes`);
  behindExtensions(d, span.u8(6), length === 0 ? span.after(40) : span.after(40).first(length), quoted);
}

function behindExtensions(d: Dissection, first: number, from: Span, quoted: Quoted): void {
  let [next, rest] = [first, from];
  while (EXTENSIONS.has(next) || next === FRAGMENT) {
    if (rest.length < 8) d.spoilt('ipv6', 'an extension header is cut off');
    const header = next === FRAGMENT ? 8 : 8 * (rest.u8(1) + 1);
    if (next === FRAGMENT) {
      d.add('ipv6.fraghdr.offset', rest.u16(2) >> 3);
      d.add('ipv6.fraghdr.more', rest.u16(2) & 1);
      d.add('ipv6.fraghdr.ident', rest.u32(4));
      if (rest.u16(2) >> 3 !== 0) return;
    }
    next = rest.u8(0);
    rest = rest.after(header);
  }
  PAYLOADS[next]?.(d, rest, quoted);
}
