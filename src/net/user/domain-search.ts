import { Problem, shortly } from '../../base/problem.ts';
import { DHCP_OPTIONS, type DhcpOption } from '../../packets/dhcp.ts';
import { dnsName } from '../../packets/dns.ts';
import { joined } from '../../packets/layout.ts';

/** The most bytes of one option. */
const MOST = 255;
/** Bytes of a pointer to a name that stands before. */
const POINTER = 2;

/** A name as it is shortened: libslirp's `CompactDomain`. */
interface Name {
  readonly labels: Uint8Array;
  /** Its place in the list. */
  readonly order: number;
  /** How many of its last bytes another has as well. */
  common: number;
  /** Who has them. */
  reference: Name | undefined;
  /** Where it stands when it is shortened, and how many bytes it has then. */
  start: number;
  length: number;
}

function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length);
  let shared = 0;
  while (shared < most && a[a.length - 1 - shared] === b[b.length - 1 - shared]) shared++;
  return shared;
}

/** Bytes of the whole labels at the end of `a` that `b` ends with too, if a pointer is shorter. */
function sharedLabels(a: Uint8Array, b: Uint8Array): number {
  const first = a.length - sharedBytes(a, b);
  let label = 0;
  while (a[label] !== 0 && label < first) label += a[label]! + 1;
  const shared = a.length - label;
  return shared > POINTER ? shared : 0;
}

/** Each name of a group that shares `depth` bytes refers to the group's first, deeper groups before. */
function refer(names: readonly Name[], from: number, to: number, depth: number): void {
  for (let at = from; at < to; at++) {
    if (names[at]!.common === depth) continue;
    let last = at;
    let next = Number.POSITIVE_INFINITY;
    for (; last < to && names[last]!.common > depth; last++) next = Math.min(next, names[last]!.common);
    refer(names, at, last, next);
    at = last;
  }
  if (depth === 0) return;
  const group = names.slice(from, to + 1);
  const first = group.reduce((best, name) => (name.order < best.order ? name : best));
  for (const name of group) {
    if (name === first || name.reference !== undefined) continue;
    name.reference = first;
    name.common = depth;
  }
}

/** The names in their order, each shortened by a pointer into what stands before it. */
function shortened(names: readonly Name[]): Uint8Array {
  let start = 0;
  const pieces: Uint8Array[] = [];
  for (const name of names) {
    const { labels, reference, common } = name;
    const place = reference === undefined ? 0 : reference.start + reference.length - common;
    const bytes =
      reference === undefined || place >= 0x3fff
        ? labels
        : joined(labels.subarray(0, labels.length - common), Uint8Array.of(0xc0 | (place >> 8), place & 0xff));
    name.start = start;
    name.length = bytes.length;
    start += bytes.length;
    pieces.push(bytes);
  }
  return joined(...pieces);
}

function labelsOf(domain: string): Uint8Array {
  const labels = domain === '' ? undefined : dnsName(domain.endsWith('.') ? domain.slice(0, -1) : domain);
  if (labels === undefined || labels.length < 3) {
    throw new Problem(`failed to parse domain name '${shortly(domain)}': dnssearch= takes names like example.org`);
  }
  return labels;
}

/**
 * Names to look for others in, as options of DHCP (RFC 3397), with the pointers libslirp makes. Throws a Problem for
 * what is no name.
 */
export function domainSearch(domains: readonly string[]): readonly DhcpOption[] {
  const names = domains
    .map(labelsOf)
    .map(
      (labels, order): Name => ({ labels, order, common: 1, reference: undefined, start: 0, length: labels.length }),
    );
  if (names.length === 0) return [];
  // Its comparison looks at bytes that are equal always: what it sorts by is the length.
  const sorted = [...names].sort((a, b) => a.labels.length - b.labels.length);
  sorted.slice(1).forEach((name, at) => {
    sorted[at]!.common = sharedLabels(sorted[at]!.labels, name.labels);
  });
  refer(sorted, 0, sorted.length - 1, 0);
  const bytes = shortened(names);
  const blocks = Array.from({ length: Math.ceil(bytes.length / MOST) }, (_, at) => at * MOST);
  return blocks.map((from) => ({
    code: DHCP_OPTIONS.DOMAIN_SEARCH,
    data: bytes.subarray(from, from + MOST),
  }));
}
