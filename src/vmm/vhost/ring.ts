/**
 * A ring as the kernel's half reads and writes it: by addresses of QEMU's process, its buffers by the table of regions.
 * Linux 6.1: drivers/vhost/vhost.c.
 */
import type { Gpa, Hva } from '../../base/units.ts';
import { type Descriptor, DESCRIPTOR, descriptorIn, partBy, u16At } from '../../devices/virtio/index.ts';
import type { HostMemory } from '../host.ts';
import type { VhostRegion, VringState } from './state.ts';

/** Bytes of the guest's memory, and where QEMU has them. */
export interface Piece {
  readonly gpa: Gpa;
  readonly hva: Hva;
  readonly length: number;
}

/** A chain of descriptors: what is read, then what is written. */
export interface VhostChain {
  readonly head: number;
  readonly out: readonly Piece[];
  readonly in: readonly Piece[];
}

/** A ring, and by what its descriptors are followed. */
export interface RingReader {
  readonly vring: VringState;
  readonly table: readonly VhostRegion[];
  readonly memory: HostMemory;
}

/** What a look at a ring gives. avail: how far the driver had come. */
export interface Next {
  readonly avail: number;
  /** Undefined: there is nothing new. */
  readonly chain?: VhostChain;
  readonly error?: string;
}

/** UIO_MAXIOV: pieces of one frame. */
export const MOST_PIECES = 1024;

const read16 = ({ memory }: RingReader, hva: Hva): number => u16At(memory.readHost(hva, 2), 0);

const availableIndex = (reader: RingReader): number => read16(reader, reader.vring.avail + 2);

/** From which used index on the driver wants to be interrupted, or whether it wants to be: avail.flags. */
export const usedEvent = (reader: RingReader): number => read16(reader, reader.vring.avail + 4 + 2 * reader.vring.num);
export const availFlags = (reader: RingReader): number => read16(reader, reader.vring.avail);
export const usedIndex = (reader: RingReader): number => read16(reader, reader.vring.used + 2);

/** The next chain of a ring, as if `ahead` had been taken already. vhost_get_vq_desc. */
export function nextChain(reader: RingReader, known = reader.vring.availIdx, ahead = 0): Next {
  const { num, lastAvail, avail: ring } = reader.vring;
  const at = (lastAvail + ahead) & 0xffff;
  let avail = known;
  if (avail === at) {
    avail = availableIndex(reader);
    if (((avail - at) & 0xffff) > num) return { avail: known, error: `Guest moved used index from ${at} to ${avail}` };
    if (avail === at) return { avail };
  }
  const head = read16(reader, ring + 4 + 2 * (at & (num - 1)));
  if (head >= num) return { avail, error: `Guest says index ${head} > ${num} is available` };
  const chain = follow(reader, head);
  return typeof chain === 'string' ? { avail, error: chain } : { avail, chain };
}

const is = ({ flags }: Descriptor, flag: number): boolean => (flags & flag) !== 0;

/** What was found of a chain so far. */
interface Found {
  readonly out: Piece[];
  readonly in: Piece[];
}

/** A chain, or why it is none. */
function follow(reader: RingReader, head: number): VhostChain | string {
  const { num, desc } = reader.vring;
  const found: Found = { out: [], in: [] };
  let at = head;
  for (let entries = 1; ; entries += 1) {
    if (at >= num) return `Desc index is ${at} > ${num}, head = ${head}`;
    if (entries > num) return `Loop detected: last one at ${at} vq size ${num} head ${head}`;
    const here = descriptorIn(reader.memory.readHost(desc + DESCRIPTOR.bytes * at, DESCRIPTOR.bytes));
    const why = is(here, DESCRIPTOR.indirect)
      ? withTable(reader, here, found)
      : withPiece(reader, here, found, ` descriptor idx ${at}`);
    if (why !== undefined) return why;
    if (!is(here, DESCRIPTOR.next)) return { head, ...found };
    at = here.next;
  }
}

const MOST_INDIRECT = 0x1_0000;

/** get_indirect. */
function withTable(reader: RingReader, { gpa, length }: Descriptor, found: Found): string | undefined {
  if (length % DESCRIPTOR.bytes !== 0) {
    return `Invalid length in indirect descriptor: len 0x${length.toString(16)} not multiple of 0x10`;
  }
  const table = translated(reader, gpa, length, MOST_PIECES);
  if (typeof table === 'number') return `Translation failure ${-table} in indirect.`;
  const count = length / DESCRIPTOR.bytes;
  if (count > MOST_INDIRECT) return `Indirect buffer length too big: ${length}`;
  let at = 0;
  for (let entries = 1; ; entries += 1) {
    if (entries > count) return `Loop detected: last one at ${at} indirect size ${count}`;
    if (at >= count) return `Failed indirect descriptor: idx ${at}`;
    const here = descriptorIn(gathered(reader, table, at * DESCRIPTOR.bytes, DESCRIPTOR.bytes));
    if (is(here, DESCRIPTOR.indirect)) return `Nested indirect descriptor: idx ${at}`;
    const why = withPiece(reader, here, found, ` indirect idx ${at}`);
    if (why !== undefined) return why;
    if (!is(here, DESCRIPTOR.next)) return undefined;
    at = here.next;
  }
}

/** Bytes out of pieces. */
function gathered({ memory }: RingReader, pieces: readonly Piece[], from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const { hva, length: some } of partOf(pieces, from, length)) {
    bytes.set(memory.readHost(hva, some), at);
    at += some;
  }
  return bytes;
}

function withPiece(reader: RingReader, here: Descriptor, found: Found, where: string): string | undefined {
  const isWrite = is(here, DESCRIPTOR.write);
  const pieces = translated(reader, here.gpa, here.length, MOST_PIECES - found.in.length - found.out.length);
  if (typeof pieces === 'number') return `Translation failure ${-pieces}${where}`;
  if (!isWrite && found.in.length > 0) return `Descriptor has out after in:${where.replace(' descriptor', '')}`;
  (isWrite ? found.in : found.out).push(...pieces);
  return undefined;
}

const [EFAULT, ENOBUFS] = [14, 105];

/** Where so many bytes of the guest's memory are, in so many pieces at most; else an errno. translate_desc. */
function translated({ table }: Pick<RingReader, 'table'>, gpa: Gpa, length: number, most: number): Piece[] | number {
  const pieces: Piece[] = [];
  for (let at = gpa, left = length; left > 0; ) {
    if (pieces.length >= most) return ENOBUFS;
    const region = table.find((each) => at >= each.gpa && at < each.gpa + each.size);
    if (region === undefined) return EFAULT;
    const some = Math.min(left, region.gpa + region.size - at);
    pieces.push({ gpa: at, hva: region.hva + (at - region.gpa), length: some });
    at += some;
    left -= some;
  }
  return pieces;
}

/** The bytes from one place of all pieces to another. */
export const partOf = (pieces: readonly Piece[], from: number, length: number): Piece[] =>
  partBy(pieces, { from, length }, ({ gpa, hva }, skip, taken) => ({
    gpa: gpa + skip,
    hva: hva + skip,
    length: taken,
  }));
