import { ipv6Text } from '../../packets/addresses.ts';
import { buildDnsAnswer, DNS_RESULTS, DNS_TYPES, type DnsAnswer, type DnsQuestion } from '../../packets/dns.ts';
import type { UserNet } from './part.ts';

/** The longest answer of UDP (RFC 1035, 4.2.1), without its question. */
const LONGEST = 512;

/** As much of an answer as UDP takes. */
export function cutShort(query: Parameters<typeof buildDnsAnswer>[0], answer: DnsAnswer): Uint8Array {
  const bytes = buildDnsAnswer(query, answer);
  if (bytes.length <= LONGEST) return bytes;
  return buildDnsAnswer(query, { ...answer, records: [], isTruncated: true });
}

const nameOfType = (type: number): string =>
  Object.entries(DNS_TYPES).find(([, number]) => number === type)?.[0] ?? `TYPE${type}`;

/** An answer as text: what its last record says. */
function textOf({ result, records }: DnsAnswer): string {
  const data = records.filter(({ type }) => type === DNS_TYPES.A || type === DNS_TYPES.AAAA).at(-1)?.data;
  if (data === undefined) return result === DNS_RESULTS.FOUND ? `${records.length} records` : `error ${result}`;
  if (data.length === 4) return [...data].join('.');
  const view = new DataView(data.buffer, data.byteOffset);
  return ipv6Text((view.getBigUint64(0) << 64n) | view.getBigUint64(8));
}

/** Put an answer on record. */
export function told({ effects }: UserNet, { name, type }: DnsQuestion, answer: DnsAnswer): void {
  const said = { name, type: nameOfType(type), answer: textOf(answer) };
  effects.raise({ kind: 'sim:name_resolved', dev: effects.name, ...said });
}
