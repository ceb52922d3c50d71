import type { VirtioFunctionState } from '../../../src/devices/virtio/index.ts';
import type { EventOf } from '../../../src/events/vocabulary.ts';
import type { GuestMemory } from './guest-memory.ts';
import { availableIndex, type Buffers, chainAt, headAt, type RingPlace, usedEntry, usedIndex } from './ring.ts';

type Queue = VirtioFunctionState['queues'][number];

/** A chain the device has and has not given back. */
export interface InFlight extends Buffers {
  readonly head: number;
}

const mod16 = (value: number): number => value & 0xffff;

/** Which way an account is wrong. */
export type Complain = (what: string) => void;

/**
 * One queue's account, kept from the events and from the rings in guest memory: what was taken is given back or in
 * flight, each once, and nothing is given back or taken that was not made available.
 */
export class QueueCount {
  readonly inFlight = new Map<number, InFlight>();
  #taken = 0;
  #given = 0;
  /** Taken, and neither given back nor in flight: of a driver that was wrong. */
  #lost = 0;
  #filled: { readonly head: number; readonly length: number }[] = [];
  /** The available index when the device was last notified. */
  #noted = 0;
  /** The used index is told, and to be in memory when the next event is. */
  #isIndexDue = false;

  /** Nobody has used it since it was made or reset. */
  get isNew(): boolean {
    return this.#taken === 0 && this.#given === 0 && this.inFlight.size === 0;
  }

  reset(): void {
    this.inFlight.clear();
    [this.#taken, this.#given, this.#lost, this.#filled, this.#isIndexDue] = [0, 0, 0, [], false];
  }

  notified(memory: GuestMemory, ring: RingPlace): void {
    this.#noted = availableIndex(memory, ring);
  }

  popped(memory: GuestMemory, ring: RingPlace, event: EventOf<'virtqueue_pop'>, complain: Complain): InFlight {
    const available = availableIndex(memory, ring);
    if (available === this.#taken && this.#noted === this.#taken) complain(`nothing is available beyond ${available}`);
    const head = headAt(memory, ring, this.#taken);
    if (head !== event.head) complain(`descriptor ${event.head} was taken where the ring has ${head}`);
    const buffers = chainAt(memory, ring, head);
    const taken = segmentsOf(event);
    // Chains that are given back unseen are not looked at.
    const isUnseen = event.in_num + event.out_num === 0;
    if (!isUnseen && JSON.stringify(taken) !== JSON.stringify(buffers)) {
      complain(`${JSON.stringify(taken)} were taken where the chain is ${JSON.stringify(buffers)}`);
    }
    if (this.inFlight.has(event.elem)) complain(`element ${event.elem} was taken twice`);
    this.#taken = mod16(this.#taken + 1);
    const element = { head, ...buffers };
    this.inFlight.set(event.elem, element);
    return element;
  }

  /** It is as if it had not been taken. */
  unpopped({ elem }: EventOf<'sim:virtqueue_unpop'>, complain: Complain): void {
    if (!this.inFlight.delete(elem)) complain(`element ${elem} was put back and not in flight`);
    this.#taken = mod16(this.#taken - 1);
  }

  detached({ elem }: EventOf<'sim:virtqueue_detach'>, complain: Complain): void {
    if (!this.inFlight.delete(elem)) complain(`element ${elem} was let go and not in flight`);
    this.#lost += 1;
  }

  filled({ elem, len }: EventOf<'virtqueue_fill'>, complain: Complain): void {
    const element = this.inFlight.get(elem);
    if (element === undefined) complain(`element ${elem} was given back and not in flight`);
    this.inFlight.delete(elem);
    this.#filled.push({ head: element?.head ?? -1, length: len });
  }

  flushed(memory: GuestMemory, ring: RingPlace, count: number, complain: Complain): void {
    if (count !== this.#filled.length) complain(`${count} were told of where ${this.#filled.length} were filled`);
    for (const { head, length } of this.#filled) {
      const entry = usedEntry(ring, this.#given);
      if (memory.keeps(entry) === entry.length) {
        const [id, len] = [memory.word32(entry.gpa), memory.word32(entry.gpa + 4)];
        if (id !== head || len !== length) {
          complain(`the used ring has {${id}, ${len}} for descriptor ${head} of ${length} bytes`);
        }
      }
      this.#given = mod16(this.#given + 1);
    }
    this.#filled = [];
    this.#isIndexDue = true;
  }

  /** The next event is told: what went before it is in memory. */
  settle(memory: GuestMemory, ring: RingPlace, complain: Complain): void {
    if (!this.#isIndexDue) return;
    this.#isIndexDue = false;
    const place = usedIndex(ring);
    if (memory.keeps(place) < place.length) return;
    const index = memory.word16(place.gpa);
    if (index !== this.#given) complain(`the used index is ${index} where ${this.#given} were given back`);
  }

  /** The account is even, and the device's own is the same. */
  check({ lastAvail, usedIdx, elements, filled }: Queue, complain: Complain): void {
    const out = this.inFlight.size + this.#filled.length;
    if (mod16(this.#taken - this.#given - this.#lost) !== out) {
      complain(`${this.#taken} were taken, ${this.#given} given back, and ${out} are in flight`);
    }
    if (lastAvail !== this.#taken) complain(`the device has taken ${lastAvail}, not ${this.#taken}`);
    if (usedIdx !== this.#given) complain(`the device has given back ${usedIdx}, not ${this.#given}`);
    if (elements.length !== this.inFlight.size || filled !== this.#filled.length) {
      complain(`the device has ${elements.length} in flight and ${filled} filled, not ${this.inFlight.size}`);
    }
  }
}

const SEGMENT_BYTES = 12;

function segmentsOf({ segments, out_num: outs }: EventOf<'virtqueue_pop'>): Buffers {
  const view = new DataView(segments.buffer, segments.byteOffset, segments.length);
  const all = Array.from({ length: segments.length / SEGMENT_BYTES }, (_, at) => ({
    gpa: Number(view.getBigUint64(SEGMENT_BYTES * at, true)),
    length: view.getUint32(SEGMENT_BYTES * at + 8, true),
  }));
  return { out: all.slice(0, outs), in: all.slice(outs) };
}
