import { Problem, shortly } from '../../base/problem.ts';
import { DHCP_OPTIONS, type DhcpOption } from '../../packets/dhcp.ts';
import { dnsName } from '../../packets/dns.ts';
import { joined } from '../../packets/layout.ts';

/** The most bytes of one option. */
const MOST = 255;
/** Bytes of a pointer to a name that stands before. */
const POINTER = 2;
/** Where a pointer reaches no more. */
const FARTHEST = 0x3fff;

/** What of a name stands before already: how many of its last bytes, and in which name of the list. */
interface Shared {
  readonly bytes: number;
  readonly by: number;
}

/** A name, and its place in the list. */
interface Name {
  readonly labels: Uint8Array;
  readonly order: number;
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

/**
 * Names in a row, of which each shares so many bytes with the next (`common`): what they share with whom. Each name of
 * a group that shares `depth` bytes refers to the group's first, deeper groups before.
 */
function refer(
  names: readonly Name[],
  common: readonly number[],
  shared: Map<number, Shared>,
  [from, to, depth]: readonly [from: number, to: number, depth: number],
): void {
  for (let at = from; at < to; at++) {
    if (common[at] === depth) continue;
    let last = at;
    let next = Number.POSITIVE_INFINITY;
    for (; last < to && common[last]! > depth; last++) next = Math.min(next, common[last]!);
    refer(names, common, shared, [at, last, next]);
    at = last;
  }
  if (depth === 0) return;
  const group = names.slice(from, to + 1);
  const first = Math.min(...group.map(({ order }) => order));
  for (const { order } of group) {
    if (order !== first && !shared.has(order)) shared.set(order, { bytes: depth, by: first });
  }
}

/** The names in their order, each shortened by a pointer into what stands before it. */
function shortened(names: readonly Name[], shared: ReadonlyMap<number, Shared>): Uint8Array {
  const pieces: Uint8Array[] = [];
  const ends: number[] = [];
  for (const { labels, order } of names) {
    const what = shared.get(order);
    const place = what === undefined ? FARTHEST : ends[what.by]! - what.bytes;
    const pointer = Uint8Array.of(0xc0 | (place >> 8), place & 0xff);
    const piece =
      what === undefined || place >= FARTHEST
        ? labels
        : joined(labels.subarray(0, labels.length - what.bytes), pointer);
    pieces.push(piece);
    ends.push((ends.at(-1) ?? 0) + piece.length);
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
  const names = domains.map(labelsOf).map((labels, order): Name => ({ labels, order }));
  if (names.length === 0) return [];
  // Its comparison looks at bytes that are equal always: what it sorts by is the length.
  const sorted = [...names].sort((a, b) => a.labels.length - b.labels.length);
  const common = sorted.slice(1).map(({ labels }, at) => sharedLabels(sorted[at]!.labels, labels));
  const shared = new Map<number, Shared>();
  refer(sorted, common, shared, [0, sorted.length - 1, 0]);
  const bytes = shortened(names, shared);
  const blocks = Array.from({ length: Math.ceil(bytes.length / MOST) }, (_, at) => at * MOST);
  return blocks.map((from) => ({
    code: DHCP_OPTIONS.DOMAIN_SEARCH,
    data: bytes.subarray(from, from + MOST),
  }));
}
