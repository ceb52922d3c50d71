/** DNS (RFC 1035): one message. */
import { ipv4Text, ipv6Text } from '../addresses.ts';
import type { Dissection } from './dissection.ts';
import type { Span } from './span.ts';
import { textIn } from './text.ts';

const HEADER = 12;
/** Records looked at: a message of 64 KiB holds no more that are whole. */
const MOST_RECORDS = 6000;
/** Bytes of a name, and so the labels and pointers it may be made of (RFC 1035, 2.3.4). */
const LONGEST_NAME = 255;

export function dns(d: Dissection, span: Span): void {
  if (span.length < HEADER) d.spoilt('dns', 'its header is cut off');
  d.enter('dns');
  const flags = span.u16(2);
  const [questions, answers] = [span.u16(4), span.u16(6)];
  d.add('dns.id', span.u16(0));
  d.add('dns.flags.response', flags >> 15);
  d.add('dns.flags.opcode', (flags >> 11) & 15);
  if (flags >> 15 === 1) d.add('dns.flags.rcode', flags & 15);
  d.add('dns.count.queries', questions);
  d.add('dns.count.answers', answers);
  let at = HEADER;
  for (let each = 0; each < Math.min(questions, MOST_RECORDS); each += 1) {
    const name = nameAt(span, at);
    if (name === undefined || name.end + 4 > span.length) d.spoilt('dns', 'a question is cut off');
    d.add('dns.qry.name', name.text);
    d.add('dns.qry.type', span.u16(name.end));
    at = name.end + 4;
  }
  const records = answers + span.u16(8) + span.u16(10);
  for (let each = 0; each < Math.min(records, MOST_RECORDS); each += 1) {
    const end = record(d, span, at);
    if (end === undefined) d.spoilt('dns', 'a record is cut off');
    at = end;
  }
}

/** What the data of a record of a type are. */
const DATA: Readonly<Record<number, (d: Dissection, span: Span, at: number) => void>> = {
  1: (d, span, at) => d.add('dns.a', ipv4Text(span.u32(at))),
  5: (d, span, at) => d.add('dns.cname', nameAt(span, at)?.text ?? ''),
  12: (d, span, at) => d.add('dns.ptr.domain_name', nameAt(span, at)?.text ?? ''),
  28: (d, span, at) => d.add('dns.aaaa', ipv6Text(span.u128(at))),
};

/** Where the next one begins; undefined: it is not whole. */
function record(d: Dissection, span: Span, at: number): number | undefined {
  const name = nameAt(span, at);
  if (name === undefined || name.end + 10 > span.length) return undefined;
  const [type, length] = [span.u16(name.end), span.u16(name.end + 8)];
  const end = name.end + 10 + length;
  if (end > span.length) return undefined;
  d.add('dns.resp.name', name.text);
  d.add('dns.resp.type', type);
  d.add('dns.resp.ttl', span.u32(name.end + 4));
  DATA[type]?.(d, span.first(end), name.end + 10);
  return end;
}

/** A name and where what follows it begins; undefined: it is not whole, or longer than names are. */
function nameAt(span: Span, from: number): { readonly text: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let [at, end, length] = [from, -1, 0];
  for (let steps = 0; steps <= LONGEST_NAME && length <= LONGEST_NAME; steps += 1) {
    if (at >= span.length) return undefined;
    const first = span.u8(at);
    if (first === 0) return { text: labels.length === 0 ? '<Root>' : labels.join('.'), end: end < 0 ? at + 1 : end };
    if (first >= 0xc0) {
      if (end < 0) end = at + 2;
      at = span.u16(at) & 0x3fff;
    } else {
      if (first > 63 || at + first >= span.length) return undefined;
      labels.push(textIn(span, at + 1, first));
      length += first + 1;
      at += first + 1;
    }
  }
  return undefined;
}
