import { bits, joined, layout, NOTHING, numberAt, putNumber, u16 } from './layout.ts';

/** The port of UDP and TCP. */
export const DNS_PORT = 53;

/** Types of records (RFC 1035, 3.2; RFC 3596). */
export const DNS_TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, ANY: 255 } as const;

export const DNS_CLASS_INTERNET = 1;

/** What an answer says of its question (RFC 1035, 4.1.1). */
export const DNS_RESULTS = { FOUND: 0, FORMAT: 1, FAILURE: 2, NO_NAME: 3, NOT_DONE: 4, REFUSED: 5 } as const;

const HEADER = layout(12, {
  id: u16(0),
  isAnswer: bits(2, 1, 7, 1),
  operation: bits(2, 1, 3, 4),
  isAuthority: bits(2, 1, 2, 1),
  isTruncated: bits(2, 1, 1, 1),
  wantsRecursion: bits(2, 1, 0, 1),
  hasRecursion: bits(3, 1, 7, 1),
  result: bits(3, 1, 0, 4),
  questions: u16(4),
  answers: u16(6),
  authorities: u16(8),
  additional: u16(10),
});

/** The longest name in bytes (RFC 1035, 2.3.4). */
const LONGEST_NAME = 255;
const LONGEST_LABEL = 63;
/** A name that goes on at another place of the message. */
const POINTER = 0xc0;

/** A question: a name without its last dot, in Latin-1, as it was spelled. */
export interface DnsQuestion {
  readonly name: string;
  /** Of `DNS_TYPES`. */
  readonly type: number;
  readonly class: number;
  /** As it stands in the query. */
  readonly bytes: Uint8Array;
}

/** What somebody asks: of several questions the first. */
export interface DnsQuery {
  readonly id: number;
  /** 0: a name is asked for. */
  readonly operation: number;
  readonly wantsRecursion: boolean;
  readonly question: DnsQuestion | undefined;
}

/** A name at a place of a message, and where it ends there; undefined when it is cut, too long or a circle. */
function nameAt(bytes: Uint8Array, from: number): { readonly name: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let end: number | undefined;
  let length = 0;
  for (let at = from; ; ) {
    const size = bytes[at];
    if (size === undefined) return undefined;
    if (size === 0) return { name: labels.join('.'), end: end ?? at + 1 };
    if (size >= POINTER) {
      const to = at + 2 > bytes.length ? at : numberAt(bytes, at, 2) & 0x3fff;
      // Only backwards: else it might go round.
      if (to >= at) return undefined;
      end ??= at + 2;
      at = to;
      continue;
    }
    length += size + 1;
    if (size > LONGEST_LABEL || length > LONGEST_NAME || at + 1 + size > bytes.length) return undefined;
    labels.push(String.fromCharCode(...bytes.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
}

/** A query by its bytes; undefined for an answer, or what ends within its header or its question. */
export function parseDnsQuery(bytes: Uint8Array): DnsQuery | undefined {
  const header = HEADER.read(bytes);
  if (header === undefined || header.isAnswer === 1) return undefined;
  const { id, operation, wantsRecursion, questions } = header;
  const asked = { id, operation, wantsRecursion: wantsRecursion === 1 };
  if (questions === 0) return { ...asked, question: undefined };
  const read = nameAt(bytes, HEADER.length);
  if (read === undefined || read.end + 4 > bytes.length) return undefined;
  const [type, of] = [numberAt(bytes, read.end, 2), numberAt(bytes, read.end + 2, 2)];
  const question = { name: read.name, type, class: of, bytes: bytes.subarray(HEADER.length, read.end + 4) };
  return { ...asked, question };
}

/** Bytes of a name; undefined when a label or the whole is too long or empty. */
export function dnsName(name: string): Uint8Array | undefined {
  const labels = name === '' ? [] : name.split('.');
  if (labels.some(({ length }) => length === 0 || length > LONGEST_LABEL)) return undefined;
  const bytes = labels.map((label) => Uint8Array.of(label.length, ...Array.from(label, (c) => c.charCodeAt(0))));
  const all = joined(...bytes, Uint8Array.of(0));
  return all.length > LONGEST_NAME ? undefined : all;
}

/** A record of an answer, by the bytes it has after its length. */
export interface DnsRecord {
  /** Of `DNS_TYPES`. */
  readonly type: number;
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
  readonly data: Uint8Array;
}

/** An answer to a query. */
export interface DnsAnswer {
  /** Of `DNS_RESULTS`. */
  readonly result: number;
  readonly records: readonly DnsRecord[];
  /** There are more than went in. */
  readonly isTruncated?: boolean;
}

function recordBytes({ name, type, ttl, data }: DnsRecord, question: DnsQuestion | undefined): Uint8Array {
  // The question's name is there already.
  const where = name === question?.name ? Uint8Array.of(POINTER, HEADER.length) : (dnsName(name) ?? Uint8Array.of(0));
  const fixed = new Uint8Array(10);
  putNumber(fixed, 0, 2, type);
  putNumber(fixed, 2, 2, DNS_CLASS_INTERNET);
  putNumber(fixed, 4, 4, ttl);
  putNumber(fixed, 8, 2, data.length);
  return joined(where, fixed, data);
}

/** The bytes of an answer to a query, from a server that resolves for others. */
export function buildDnsAnswer(query: DnsQuery, answer: DnsAnswer): Uint8Array {
  const { question } = query;
  const { result, records } = answer;
  const asked = question?.bytes ?? NOTHING;
  const bytes = joined(new Uint8Array(HEADER.length), asked, ...records.map((record) => recordBytes(record, question)));
  HEADER.write(bytes, {
    id: query.id,
    operation: query.operation,
    ...{ isAnswer: 1, isAuthority: 0, hasRecursion: 1 },
    isTruncated: Number(answer.isTruncated ?? false),
    wantsRecursion: Number(query.wantsRecursion),
    result,
    questions: question === undefined ? 0 : 1,
    answers: records.length,
    ...{ authorities: 0, additional: 0 },
  });
  return bytes;
}
