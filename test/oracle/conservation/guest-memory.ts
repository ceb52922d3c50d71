import type { Machine } from '../../../src/machine/machine.ts';
import { readPhysical } from '../../../src/machine/guest-view.ts';

/** Bytes of guest memory: guest-physical address and length. */
export interface Segment {
  readonly gpa: number;
  readonly length: number;
}

const PAGE = 4096;
/** KVM_MEM_READONLY. */
const READ_ONLY = 2;

/** Guest memory as it is while an event is told. Looking changes nothing. */
export class GuestMemory {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** So many bytes; where there is no memory, they are zero from there on. */
  read({ gpa, length }: Segment): Uint8Array {
    const bytes = new Uint8Array(length);
    bytes.set(readPhysical({ machine: this.#machine }, gpa, length));
    return bytes;
  }

  word16(gpa: number): number {
    const bytes = this.read({ gpa, length: 2 });
    return bytes[0]! | (bytes[1]! << 8);
  }

  word32(gpa: number): number {
    return new DataView(this.read({ gpa, length: 4 }).buffer).getUint32(0, true);
  }

  /** How many of the bytes from an address on are memory that keeps what is written. */
  keeps({ gpa, length }: Segment): number {
    let here = gpa;
    while (here < gpa + length) {
      const gfn = Math.floor(here / PAGE);
      const slot = this.#machine.state.kvm.vm?.slots.find(
        ({ baseGfn, npages }) => gfn >= baseGfn && gfn < baseGfn + npages,
      );
      if (slot === undefined || (slot.flags & READ_ONLY) !== 0) break;
      here = (slot.baseGfn + slot.npages) * PAGE;
    }
    return Math.min(length, here - gpa);
  }
}

/** All bytes of several segments, one behind the other. */
export function gathered(memory: GuestMemory, segments: readonly Segment[]): Uint8Array {
  const bytes = new Uint8Array(segments.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const segment of segments) {
    bytes.set(memory.read(segment), at);
    at += segment.length;
  }
  return bytes;
}
