/** Where a vhost device of the modelled Linux stands. Linux 6.1: struct vhost_net, vhost_virtqueue. */
import type { Gpa, Hva, Seq } from '../../base/units.ts';
import type { PageBits } from '../../memory/page-bits.ts';

/** A chain of descriptors, and with how many bytes it is given back. */
export interface UsedElement {
  readonly id: number;
  readonly len: number;
}

/** A region of the guest's memory, as VHOST_SET_MEM_TABLE has it. */
export interface VhostRegion {
  readonly gpa: Gpa;
  readonly size: number;
  readonly hva: Hva;
}

export interface VringState {
  readonly num: number;
  /** Where its parts lie in QEMU's memory. */
  readonly desc: Hva;
  readonly avail: Hva;
  readonly used: Hva;
  /** Where the used ring lies in the guest's memory, and whether what is written to it is logged. */
  readonly log: Gpa;
  readonly isLogged: boolean;
  /** Eventfds; -1: none. */
  readonly kick: number;
  readonly call: number;
  readonly error: number;
  /** QEMU's own, to which the kernel signals while the vector is masked. */
  readonly masked: number;
  /** The tap is its backend: the kernel serves it. */
  readonly hasBackend: boolean;
  /** Modulo 2^16: what was taken, how far the driver had come when that was last looked at, what was given back. */
  readonly lastAvail: number;
  readonly availIdx: number;
  readonly lastUsed: number;
  /** The used index as it was when the driver was last asked, if that is known. */
  readonly signalledUsed: number;
  readonly isSignalledKnown: boolean;
  /** The driver need not notify of what it adds: VRING_USED_F_NO_NOTIFY. */
  readonly isQuiet: boolean;
  /** Of the ring that receives: a frame in the tap's queue wakes the worker. */
  readonly isPolling: boolean;
  /** Taken and not given back: 64 and what one frame takes at most. */
  readonly done: readonly UsedElement[];
  /** The fact that took the last of them. */
  readonly takenBy: Seq;
  /** What the piece of work under way has moved. */
  readonly packets: number;
  readonly bytes: number;
  readonly errors: number;
}

/** A device of /dev/vhost-net, and what QEMU remembers of it. */
export interface VhostState {
  readonly features: readonly [low: number, high: number];
  readonly table: readonly VhostRegion[];
  /** What receives, what transmits. */
  readonly vrings: readonly [VringState, VringState];
  /** What was written: so many words of 64 pages, and which pages. Absent: nobody logs. */
  readonly log?: { readonly words: number; readonly pages: PageBits };
}

/** Once round the numbers since the driver was asked: what it said then says nothing any more. */
export const isOutdated = (
  { lastUsed, signalledUsed }: Pick<VringState, 'lastUsed' | 'signalledUsed'>,
  count: number,
) => ((lastUsed - signalledUsed) & 0xffff) < count;

/** The rings of a device. */
export const RX = 0;
export const TX = 1;

const newVring = (): VringState => ({
  ...{ num: 1, desc: 0, avail: 0, used: 0, log: 0, isLogged: false },
  ...{ kick: -1, call: -1, error: -1, masked: -1, hasBackend: false },
  ...{ lastAvail: 0, availIdx: 0, lastUsed: 0, signalledUsed: 0, isSignalledKnown: false, isQuiet: false },
  ...{ isPolling: false, done: [], takenBy: 0, packets: 0, bytes: 0, errors: 0 },
});

export const newVhost = (): VhostState => ({ features: [0, 0], table: [], vrings: [newVring(), newVring()] });
