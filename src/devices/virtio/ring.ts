/**
 * A split ring as the device sees it: what a driver put there, and what is given back.
 * QEMU 7.2: hw/virtio/virtio.c.
 */
import type { Effects } from '../device.ts';
import { DESCRIPTOR, FEATURE, MOST, NO_INTERRUPT } from './registers.ts';
import { hasFeature, type Segment, type VirtioState, type VirtqueueState } from './state.ts';

/** A chain of descriptors somebody may take, or why nobody may. */
export type Chain =
  | { readonly head: number; readonly out: readonly Segment[]; readonly in: readonly Segment[] }
  | { readonly error: string };

/** Bytes of memory. What is no memory reads zero: a ring is not looked for in registers. */
export function readMemory(effects: Effects, { gpa, length }: Segment): Uint8Array {
  const reach = effects.ramReach(gpa, length);
  const bytes = new Uint8Array(length);
  if (reach > 0) bytes.set(effects.dmaRead(gpa, reach));
  return bytes;
}

/** Bytes into memory, as far as they and it go. */
export function scatter(effects: Effects, into: readonly Segment[], bytes: Uint8Array): void {
  let at = 0;
  for (const { gpa, length } of into) {
    const reach = effects.ramReach(gpa, Math.min(length, bytes.length - at));
    if (reach > 0) effects.dmaWrite(gpa, bytes.subarray(at, at + reach));
    at += length;
    if (at >= bytes.length) return;
  }
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const read16 = (effects: Effects, gpa: number): number =>
  view(readMemory(effects, { gpa, length: 2 })).getUint16(0, true);

/** How far the driver has come. */
export const availableIndex = ({ avail }: VirtqueueState, effects: Effects): number => read16(effects, avail + 2);

/** The chain a driver put there next; what is read of memory decides. virtqueue_split_pop. */
export function nextChain(queue: VirtqueueState, effects: Effects): Chain {
  const { size, avail, desc, lastAvail, elements, filled } = queue;
  if (elements.length + filled >= size) return { error: 'Virtqueue size exceeded' };
  const head = read16(effects, avail + 4 + 2 * (lastAvail % size));
  if (head >= size) return { error: `Guest says index ${head} is available` };
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

/**
 * How many bytes a device may write into all that a driver has put into the ring. virtqueue_get_avail_bytes: it looks
 * at less than who takes a chain.
 */
export function writableBytes(queue: VirtqueueState, effects: Effects): Seen {
  const { size, avail, desc, lastAvail } = queue;
  const available = availableIndex(queue, effects);
  let seen: Seen = { bytes: 0, buffers: 0 };
  for (let idx = lastAvail; !('error' in seen); idx++) {
    const heads = (available - idx) & 0xffff;
    if (heads > size) return { error: `Guest moved used index from ${idx} to ${available}` };
    if (heads === 0) break;
    const head = read16(effects, avail + 4 + 2 * (idx % size));
    if (head >= size) return { error: `Guest says index ${head} is available` };
    seen = withChain(effects, { gpa: desc, count: size }, head, seen);
  }
  return seen;
}

function withChain(
  effects: Effects,
  ring: Table,
  head: number,
  { bytes, buffers }: Exclude<Seen, { error: string }>,
): Seen {
  const first = descriptorAt(effects, ring, head);
  if ((first.flags & DESCRIPTOR.indirect) === 0) {
    const whole = along(effects, ring, first, buffers);
    return 'error' in whole ? whole : { bytes: (bytes + whole.bytes) >>> 0, buffers: whole.buffers };
  }
  const flaw = flawOfTable(effects, first) ?? (buffers >= ring.count ? LOOPED : undefined);
  if (flaw !== undefined) return { error: flaw };
  const table = tableAt(effects, first.gpa, first.length / DESCRIPTOR.bytes);
  const whole = along(effects, table, descriptorAt(effects, table, 0), 0);
  return 'error' in whole ? whole : { bytes: (bytes + whole.bytes) >>> 0, buffers: buffers + 1 };
}

const LOOPED = 'Looped descriptor';

/** A chain, after so many other descriptors. Who takes it takes no more than a ring may have. */
function along(effects: Effects, table: Table, first: Descriptor, before: number): Seen {
  let here = first;
  let bytes = 0;
  for (let buffers = before + 1; ; buffers++) {
    if (buffers > table.count) return { error: LOOPED };
    if ((here.flags & DESCRIPTOR.write) !== 0) bytes = (bytes + here.length) >>> 0;
    if ((here.flags & DESCRIPTOR.next) === 0 || buffers > MOST.descriptors) return { bytes, buffers };
    if (here.next >= table.count) return { error: `Desc next is ${here.next}` };
    here = descriptorAt(effects, table, here.next);
  }
}

function flawOfTable(effects: Effects, { gpa, length }: Segment): string | undefined {
  if (length === 0 || length % DESCRIPTOR.bytes !== 0) return 'Invalid size for indirect buffer table';
  const reach = effects.ramReach(gpa, length);
  return reach > 0 && reach < length ? 'Cannot map indirect buffer' : undefined;
}

interface Descriptor extends Segment {
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

const tableAt = (effects: Effects, gpa: number, count: number): Table => ({
  gpa,
  count,
  ...(count > SHORT ? {} : { bytes: readMemory(effects, { gpa, length: count * DESCRIPTOR.bytes }) }),
});

/** The last a number tells apart from 2^64, which would begin at 0 again. No memory is near. */
const LAST_ADDRESS = 2 ** 64 - 2 ** 11;

function descriptorAt(effects: Effects, { gpa, bytes: all }: Table, index: number): Descriptor {
  const [at, length] = [DESCRIPTOR.bytes * index, DESCRIPTOR.bytes];
  const bytes = view(all?.subarray(at, at + length) ?? readMemory(effects, { gpa: gpa + at, length }));
  return {
    gpa: Math.min(Number(bytes.getBigUint64(0, true)), LAST_ADDRESS),
    length: bytes.getUint32(8, true),
    flags: bytes.getUint16(12, true),
    next: bytes.getUint16(14, true),
  };
}

/** Follow the descriptors of a table from the first of a chain on. */
function collect(
  effects: Effects,
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
const needsEvent = (event: number, now: number, old: number): boolean =>
  ((now - event - 1) & 0xffff) < ((now - old) & 0xffff);

/** Where a place of the used ring lies: id and length, 4 bytes each. */
export const usedPlace = ({ used, size }: VirtqueueState, idx: number): number => used + 4 + 8 * (idx % size);

/** Where the device says from which available index on it wants to be notified. */
export const availEventPlace = ({ used, size }: VirtqueueState): number => used + 4 + 8 * size;
