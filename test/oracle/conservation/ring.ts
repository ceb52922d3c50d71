/** A split ring as its driver left it in memory, read anew: Virtio 1.1, 2.6. */
import type { GuestMemory, Segment } from './guest-memory.ts';

/** Where a queue lies. */
export interface RingPlace {
  readonly size: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
}

const DESCRIPTOR_BYTES = 16;
const [NEXT, WRITE, INDIRECT] = [1, 2, 4];
const ENTRY_BYTES = 8;

export const availableIndex = (memory: GuestMemory, { avail }: RingPlace): number => memory.word16(avail + 2);

/** Which descriptor a place of the available ring names. */
export const headAt = (memory: GuestMemory, { avail, size }: RingPlace, index: number): number =>
  memory.word16(avail + 4 + 2 * (index % size));

/** Buffers of a chain, those the device reads first. */
export interface Buffers {
  readonly out: readonly Segment[];
  readonly in: readonly Segment[];
}

/** A good chain from its head on. */
export function chainAt(memory: GuestMemory, { desc, size }: RingPlace, head: number): Buffers {
  const buffers = { out: [] as Segment[], in: [] as Segment[] };
  let [table, at] = [desc, head];
  for (let left = size, isFirst = true; left > 0; left -= 1, isFirst = false) {
    const bytes = new DataView(memory.read({ gpa: table + DESCRIPTOR_BYTES * at, length: DESCRIPTOR_BYTES }).buffer);
    const [gpa, length] = [addressOf(bytes.getBigUint64(0, true)), bytes.getUint32(8, true)];
    const [flags, next] = [bytes.getUint16(12, true), bytes.getUint16(14, true)];
    if ((flags & INDIRECT) !== 0 && isFirst) {
      [table, at, left] = [gpa, 0, length / DESCRIPTOR_BYTES + 1];
      continue;
    }
    ((flags & WRITE) === 0 ? buffers.out : buffers.in).push({ gpa, length });
    if ((flags & NEXT) === 0) break;
    at = next;
  }
  return buffers;
}

/** As a number: of the last there are, one of the last. */
const addressOf = (address: bigint): number => Math.min(Number(address), 2 ** 64 - 2 ** 11);

/** A place of the used ring. */
export const usedEntry = ({ used, size }: RingPlace, index: number): Segment => ({
  gpa: used + 4 + ENTRY_BYTES * (index % size),
  length: ENTRY_BYTES,
});

export const usedIndex = ({ used }: RingPlace): Segment => ({ gpa: used + 2, length: 2 });
