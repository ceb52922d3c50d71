import type { Gpa } from '../../base/units.ts';
import type { HostMemory } from '../host.ts';
import { adjustedRead, adjustedWrite, littleEndian, pieceLength, putLittleEndian, type RegisterBus } from './access.ts';
import { type FlatRange, rangeAt } from './flat-view.ts';

/** A flat view with what turns accesses into calls. Derived from the machine's state; never saved. */
export interface AddressSpace {
  readonly view: readonly FlatRange[];
  readonly memory: HostMemory;
  readonly bus: RegisterBus;
  /** Memory was written; undefined: nobody wants to know. */
  readonly written: ((gpa: Gpa, length: number) => void) | undefined;
}

/** As much of an address space as reading takes. */
export interface ReadableSpace extends Omit<AddressSpace, 'memory' | 'written'> {
  readonly memory: Pick<HostMemory, 'readHost'>;
}

/** Part of a byte array that an access fills or takes. */
export interface Span {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly length: number;
}

/** The widest register access when a leaf does not say otherwise. QEMU's default for `valid.max_access_size`. */
const USUAL_WIDTH = 4;

/**
 * Read from `address`: RAM directly, registers by calls; where nobody answers, zero, unlike a PCI bus, but as QEMU's
 * unassigned_mem_read. As in QEMU a register access goes whole to the leaf of its first byte, even past the end of
 * that leaf's range.
 */
export function readSpace(space: ReadableSpace, address: number, into: Span): void {
  let done = 0;
  while (done < into.length) {
    const here = address + done;
    const range = rangeAt(space.view, here);
    const at = into.at + done;
    const left = into.length - done;
    if (range === undefined) {
      into.bytes[at] = 0;
      done++;
      continue;
    }
    const offset = range.offset + (here - range.start);
    if (range.leaf.hva !== undefined) {
      const reach = Math.min(left, range.start + range.size - here);
      into.bytes.set(space.memory.readHost(range.leaf.hva + offset, reach), at);
      done += reach;
    } else {
      const piece = pieceLength(offset, left, widthOf(range));
      putLittleEndian(into.bytes, at, piece, adjustedRead(space.bus, range, offset, piece));
      done += piece;
    }
  }
}

/** Write at `address`. Writes to ROM and to nobody go nowhere. */
export function writeSpace(space: AddressSpace, address: number, from: Span): void {
  let done = 0;
  while (done < from.length) {
    const here = address + done;
    const range = rangeAt(space.view, here);
    const at = from.at + done;
    const left = from.length - done;
    if (range === undefined) {
      done++;
      continue;
    }
    const offset = range.offset + (here - range.start);
    if (range.leaf.hva !== undefined) {
      const reach = Math.min(left, range.start + range.size - here);
      if (!range.leaf.readonly) {
        space.memory.writeHost(range.leaf.hva + offset, from.bytes.subarray(at, at + reach));
        space.written?.(here, reach);
      }
      done += reach;
    } else {
      const piece = pieceLength(offset, left, widthOf(range));
      adjustedWrite(space.bus, range, offset, piece, littleEndian(from.bytes, at, piece));
      done += piece;
    }
  }
}

/** How many of `length` bytes from `address` on lie where somebody answers. */
export function reachOf({ view }: AddressSpace, address: number, length: number): number {
  let here = address;
  while (here < address + length) {
    const range = rangeAt(view, here);
    if (range === undefined) break;
    here = range.start + range.size;
  }
  return Math.min(length, here - address);
}

/** How many of `length` bytes from `address` on are memory. */
export function ramReachOf({ view }: AddressSpace, address: number, length: number): number {
  let here = address;
  while (here < address + length) {
    const range = rangeAt(view, here);
    if (range?.leaf.hva === undefined) break;
    here = range.start + range.size;
  }
  return Math.min(length, here - address);
}

/** Bytes as a device's DMA sees them. */
export function readBytes(space: ReadableSpace, address: number, length: number): Uint8Array {
  const range = rangeAt(space.view, address);
  const hva = range?.leaf.hva;
  // Nearly always: all of it is memory, which is a copy already.
  if (hva !== undefined && address + length <= range!.start + range!.size && length > 0) {
    return space.memory.readHost(hva + range!.offset + (address - range!.start), length);
  }
  const bytes = new Uint8Array(length);
  readSpace(space, address, { bytes, at: 0, length });
  return bytes;
}

/** Store bytes as a device's DMA does. */
export function writeBytes(space: AddressSpace, address: number, bytes: Uint8Array): void {
  writeSpace(space, address, { bytes, at: 0, length: bytes.length });
}

function widthOf(range: FlatRange): number {
  return Math.max(USUAL_WIDTH, range.leaf.handler?.maxAccess ?? 0);
}
