/**
 * A split ring as the device sees it: what a driver put there, and what is given back.
 * QEMU 7.2: hw/virtio/virtio.c.
 */
import type { Effects } from '../device.ts';
import { DESCRIPTOR, FEATURE, MOST, NO_INTERRUPT } from './registers.ts';
import { hasFeature, type Segment, type VirtioState, type VirtqueueState } from './state.ts';

/** What a ring is read by. */
export type Reader = Pick<Effects, 'dmaRead' | 'ramReach'>;

/** The same for who looks at a chain more than once: each place is read, and on record, once. */
export function readingOnce(effects: Reader): Reader {
  const seen = new Map<number, Uint8Array>();
  return {
    ramReach: (gpa, length) => effects.ramReach(gpa, length),
    dmaRead(gpa, length) {
      const known = seen.get(gpa);
      if (known?.length === length) return known;
      const bytes = effects.dmaRead(gpa, length);
      seen.set(gpa, bytes);
      return bytes;
    },
  };
}

/** A chain of descriptors somebody may take, or why nobody may. */
export type Chain =
  | { readonly head: number; readonly out: readonly Segment[]; readonly in: readonly Segment[] }
  | { readonly error: string };

/** Bytes of memory. What is no memory reads zero: a ring is not looked for in registers. */
export function readMemory(effects: Reader, { gpa, length }: Segment): Uint8Array {
  const reach = effects.ramReach(gpa, length);
  if (reach === length) return effects.dmaRead(gpa, length);
  const bytes = new Uint8Array(length);
  if (reach > 0) bytes.set(effects.dmaRead(gpa, reach));
  return bytes;
}

/** Bytes into memory, as far as they and it go. */
export function scatter(effects: Effects, into: readonly Segment[], bytes: Uint8Array): void {
  scatterBy((gpa, some) => effects.dmaWrite(gpa, some), effects, into, bytes);
}

/** The same where a fact has told what is written. */
export function scatterTold(effects: Effects, into: readonly Segment[], bytes: Uint8Array): void {
  scatterBy((gpa, some) => effects.dmaTold(gpa, some), effects, into, bytes);
}

function scatterBy(
  write: (gpa: number, bytes: Uint8Array) => void,
  effects: Effects,
  into: readonly Segment[],
  bytes: Uint8Array,
): void {
  let at = 0;
  for (const { gpa, length } of into) {
    const reach = effects.ramReach(gpa, Math.min(length, bytes.length - at));
    if (reach > 0) write(gpa, bytes.subarray(at, at + reach));
    at += length;
    if (at >= bytes.length) return;
  }
}

/** Numbers in little-endian bytes. Not by a view: making one for each place of a ring takes longer than the rest. */
export const u16At = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);
const u32At = (bytes: Uint8Array, at: number): number => (u16At(bytes, at) | (u16At(bytes, at + 2) << 16)) >>> 0;

const read16 = (effects: Reader, gpa: number): number => u16At(readMemory(effects, { gpa, length: 2 }), 0);

/** How far the driver has come. */
export const availableIndex = ({ avail }: VirtqueueState, effects: Reader): number => read16(effects, avail + 2);

/** How far the device has come. */
export const usedIndex = ({ used }: VirtqueueState, effects: Reader): number => read16(effects, used + 2);

/** What the device says of itself. */
export const usedFlags = ({ used }: VirtqueueState, effects: Reader): number => read16(effects, used);

/** The head of the next chain, if there is one that may be one. */
export function nextHead(queue: VirtqueueState, effects: Reader): number | { readonly error: string } | undefined {
  const { size, lastAvail, elements, filled } = queue;
  if (availableIndex(queue, effects) === lastAvail || elements.length + filled >= size) return undefined;
  return headAt(queue, effects);
}

function headAt({ size, avail, lastAvail }: VirtqueueState, effects: Reader): number | { readonly error: string } {
  const head = read16(effects, avail + 4 + 2 * (lastAvail % size));
  return head < size ? head : { error: `Guest says index ${head} is available` };
}

/** The chain a driver put there next; what is read of memory decides. virtqueue_split_pop. */
export function nextChain(queue: VirtqueueState, effects: Reader): Chain {
  const { size, desc, elements, filled } = queue;
  if (elements.length + filled >= size) return { error: 'Virtqueue size exceeded' };
  const head = headAt(queue, effects);
  if (typeof head !== 'number') return head;
  const table = { gpa: desc, count: size };
  const first = descriptorAt(effects, table, head);
  if ((first.flags & DESCRIPTOR.indirect) === 0) return collect(effects, table, { head, first });
  const flaw = flawOfTable(effects, first);
  if (flaw !== undefined) return { error: flaw };
  // As in QEMU, whether the driver accepted the feature or not.
  const indirect = tableAt(effects, first.gpa, first.length / DESCRIPTOR.bytes);
  return collect(effects, indirect, { head, first: descriptorAt(effects, indirect, 0) });
}

/** What was seen of a ring so far, or why nobody may look further. */
type Seen = { readonly bytes: number; readonly buffers: number } | { readonly error: string };

interface SoFar {
  readonly bytes: number;
  readonly buffers: number;
  readonly enough: number;
}

/**
 * How many bytes a device may write into all that a driver has put into the ring, or into so much of it that there are
 * `enough`. virtqueue_get_avail_bytes: it looks at less than who takes a chain.
 */
export function writableBytes(queue: VirtqueueState, effects: Reader, enough = Number.POSITIVE_INFINITY): Seen {
  const { size, avail, desc, lastAvail } = queue;
  const available = availableIndex(queue, effects);
  let seen: Seen = { bytes: 0, buffers: 0 };
  for (let idx = lastAvail; !('error' in seen) && seen.bytes < enough; idx++) {
    const heads = (available - idx) & 0xffff;
    if (heads > size) return { error: `Guest moved used index from ${idx} to ${available}` };
    if (heads === 0) break;
    const head = read16(effects, avail + 4 + 2 * (idx % size));
    if (head >= size) return { error: `Guest says index ${head} is available` };
    seen = withChain(effects, { gpa: desc, count: size }, head, { ...seen, enough });
  }
  return seen;
}

function withChain(effects: Reader, ring: Table, head: number, before: SoFar): Seen {
  const first = descriptorAt(effects, ring, head);
  if ((first.flags & DESCRIPTOR.indirect) === 0) return along(effects, ring, first, before);
  const { buffers } = before;
  const flaw = flawOfTable(effects, first) ?? (buffers >= ring.count ? LOOPED : undefined);
  if (flaw !== undefined) return { error: flaw };
  const table = tableAt(effects, first.gpa, first.length / DESCRIPTOR.bytes);
  const whole = along(effects, table, descriptorAt(effects, table, 0), { ...before, buffers: 0 });
  return 'error' in whole ? whole : { bytes: whole.bytes, buffers: buffers + 1 };
}

const LOOPED = 'Looped descriptor';

/** A chain, after other descriptors. Who takes it takes no more than a ring may have. */
function along(effects: Reader, table: Table, first: Descriptor, before: SoFar): Seen {
  let here = first;
  let { bytes } = before;
  for (let buffers = before.buffers + 1; ; buffers++) {
    if (buffers > table.count) return { error: LOOPED };
    if ((here.flags & DESCRIPTOR.write) !== 0) bytes = (bytes + here.length) >>> 0;
    if (bytes >= before.enough) return { bytes, buffers };
    if ((here.flags & DESCRIPTOR.next) === 0 || buffers > MOST.descriptors) return { bytes, buffers };
    if (here.next >= table.count) return { error: `Desc next is ${here.next}` };
    here = descriptorAt(effects, table, here.next);
  }
}

function flawOfTable(effects: Reader, { gpa, length }: Segment): string | undefined {
  if (length === 0 || length % DESCRIPTOR.bytes !== 0) return 'Invalid size for indirect buffer table';
  const reach = effects.ramReach(gpa, length);
  return reach > 0 && reach < length ? 'Cannot map indirect buffer' : undefined;
}

export interface Descriptor extends Segment {
  readonly flags: number;
  readonly next: number;
}

interface Table {
  readonly gpa: number;
  readonly count: number;
  /** All of it, where it is short. */
  readonly bytes?: Uint8Array;
}

/** Descriptors of a table that is read at once: a driver makes one for a chain, of no more than that has. */
const SHORT = 64;

const tableAt = (effects: Reader, gpa: number, count: number): Table => ({
  gpa,
  count,
  ...(count > SHORT ? {} : { bytes: readMemory(effects, { gpa, length: count * DESCRIPTOR.bytes }) }),
});

/** The last a number tells apart from 2^64, which would begin at 0 again. No memory is near. */
const LAST_ADDRESS = 2 ** 64 - 2 ** 11;

function descriptorAt(effects: Reader, { gpa, bytes: all }: Table, index: number): Descriptor {
  const [at, length] = [DESCRIPTOR.bytes * index, DESCRIPTOR.bytes];
  const bytes = all ?? readMemory(effects, { gpa: gpa + at, length });
  return descriptorIn(bytes, all === undefined ? 0 : at);
}

/** One of a table's, by its bytes from there on. */
export const descriptorIn = (bytes: Uint8Array, from = 0): Descriptor => ({
  gpa: Math.min(u32At(bytes, from + 4) * 2 ** 32 + u32At(bytes, from), LAST_ADDRESS),
  length: u32At(bytes, from + 8),
  flags: u16At(bytes, from + 12),
  next: u16At(bytes, from + 14),
});

/** Follow the descriptors of a table from the first of a chain on. */
function collect(
  effects: Reader,
  table: Table,
  { head, first }: { readonly head: number; readonly first: Descriptor },
): Chain {
  const out: Segment[] = [];
  const into: Segment[] = [];
  let here = first;
  for (let entries = 1; ; entries++) {
    const { gpa, length } = here;
    const isWrite = (here.flags & DESCRIPTOR.write) !== 0;
    if (!isWrite && into.length > 0) return { error: 'Incorrect order for descriptors' };
    if (length === 0) return { error: 'virtio: zero sized buffers are not allowed' };
    if (out.length + into.length >= MOST.descriptors) {
      return { error: 'virtio: too many write descriptors in indirect table' };
    }
    (isWrite ? into : out).push({ gpa, length });
    if (entries > table.count) return { error: LOOPED };
    if ((here.flags & DESCRIPTOR.next) === 0) return { head, out, in: into };
    if (here.next >= table.count) return { error: `Desc next is ${here.next}` };
    here = descriptorAt(effects, table, here.next);
  }
}

/** Whether the driver wants to be interrupted for what was flushed; it is asked in its memory. virtio_should_notify. */
export function wantsNotification(virtio: VirtioState, queue: VirtqueueState, effects: Effects): boolean {
  const { avail, size, usedIdx, signalledUsed, isSignalledKnown, elements, filled, lastAvail } = queue;
  return effects.transaction(() => {
    if (hasFeature(virtio, FEATURE.notifyOnEmpty) && elements.length + filled === 0) {
      if (availableIndex(queue, effects) === lastAvail) return true;
    }
    if (!hasFeature(virtio, FEATURE.eventIdx)) return (read16(effects, avail) & NO_INTERRUPT) === 0;
    if (!isSignalledKnown) return true;
    return needsEvent(read16(effects, avail + 4 + 2 * size), usedIdx, signalledUsed);
  });
}

/** vring_need_event: whether an index went past `event` on its way from `old` to `now`. Virtio 1.1, 2.6.7.2. */
export const needsEvent = (event: number, now: number, old: number): boolean =>
  ((now - event - 1) & 0xffff) < ((now - old) & 0xffff);

/** Where a place of the used ring lies: id and length, 4 bytes each. */
export const usedPlace = ({ used, size }: VirtqueueState, idx: number): number => used + 4 + 8 * (idx % size);

/** Where the device says from which available index on it wants to be notified. */
export const availEventPlace = ({ used, size }: VirtqueueState): number => used + 4 + 8 * size;
