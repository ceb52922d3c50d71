/** TCP (RFC 9293) with the options of RFC 7323 and RFC 2018. */
import { TCP_OPTIONS } from '../tcp.ts';
import type { Dissection } from './dissection.ts';
import { dns } from './dns.ts';
import { http } from './http.ts';
import type { Span } from './span.ts';

const HEADER = 20;
const DNS = 53;

/** Flags by Wireshark's names, the highest bit first. */
const FLAGS = ['cwr', 'ece', 'urg', 'ack', 'push', 'reset', 'syn', 'fin'] as const;

export function tcp(d: Dissection, span: Span): void {
  if (span.length < 8) d.spoilt('tcp', 'its header is cut off');
  d.enter('tcp');
  const [from, to] = [span.u16(0), span.u16(2)];
  d.add('tcp.srcport', from);
  d.add('tcp.dstport', to);
  d.add('tcp.seq_raw', span.u32(4));
  if (span.length < HEADER) d.spoilt('tcp', 'its header is cut off');
  const header = 4 * (span.u8(12) >> 4);
  d.add('tcp.ack_raw', span.u32(8));
  d.add('tcp.hdr_len', header);
  if (header < HEADER) d.spoilt('tcp', `a header of ${header} bytes`);
  const payload = span.after(header);
  d.add('tcp.len', payload.length);
  d.add('tcp.flags', span.u16(12) & 0xfff);
  for (const [bit, flag] of FLAGS.entries()) d.add(`tcp.flags.${flag}`, (span.u8(13) >> (7 - bit)) & 1);
  d.add('tcp.window_size_value', span.u16(14));
  d.add('tcp.checksum', span.u16(16));
  d.add('tcp.urgent_pointer', span.u16(18));
  if (header > span.length) d.spoilt('tcp', 'its options are cut off');
  options(d, span.first(header).after(HEADER));
  if (payload.length === 0) return;
  if (from !== DNS && to !== DNS) http(d, payload);
  else if (payload.length > 2 && payload.u16(0) === payload.length - 2) dns(d, payload.after(2));
}

/** How an option is told; undefined of its length: any. */
interface Option {
  readonly length: number | undefined;
  tell(d: Dissection, span: Span): void;
}

const OPTIONS: Readonly<Record<number, Option>> = {
  [TCP_OPTIONS.MSS]: {
    length: 4,
    tell(d, span) {
      d.add('tcp.options.mss_val', span.u16(2));
      d.options.push(`mss ${span.u16(2)}`);
    },
  },
  [TCP_OPTIONS.WINDOW_SCALE]: {
    length: 3,
    tell(d, span) {
      d.add('tcp.options.wscale.shift', span.u8(2));
      d.options.push(`wscale ${span.u8(2)}`);
    },
  },
  [TCP_OPTIONS.SACK_PERMITTED]: { length: 2, tell: (d) => void d.options.push('sackOK') },
  [TCP_OPTIONS.SACK]: {
    length: undefined,
    tell(d, span) {
      const blocks = Math.floor((span.length - 2) / 8);
      const texts = Array.from({ length: blocks }, (_, at) => `{${span.u32(2 + 8 * at)}:${span.u32(6 + 8 * at)}}`);
      d.options.push(`sack ${blocks} ${texts.join('')}`);
    },
  },
  [TCP_OPTIONS.TIMESTAMPS]: {
    length: 10,
    tell(d, span) {
      d.add('tcp.options.timestamp.tsval', span.u32(2));
      d.add('tcp.options.timestamp.tsecr', span.u32(6));
      d.options.push(`TS val ${span.u32(2)} ecr ${span.u32(6)}`);
    },
  },
};

function options(d: Dissection, from: Span): void {
  for (let rest = from; rest.length > 0; ) {
    const kind = rest.u8(0);
    if (kind === TCP_OPTIONS.END) return;
    if (kind === TCP_OPTIONS.NOTHING) {
      d.options.push('nop');
      rest = rest.after(1);
      continue;
    }
    const length = rest.u8(1);
    if (length < 2 || length > rest.length) d.spoilt('tcp', `option ${kind} is cut off`);
    const option = OPTIONS[kind];
    if (option === undefined) d.options.push(`option ${kind}`);
    else if (option.length !== undefined && option.length !== length)
      d.spoilt('tcp', `option ${kind} of ${length} bytes`);
    else option.tell(d, rest.first(length));
    rest = rest.after(length);
  }
}
