import type { VirtioFunctionState } from '../../../src/devices/virtio/index.ts';
import type { EventOf } from '../../../src/events/vocabulary.ts';
import { gathered, type GuestMemory, type Segment } from './guest-memory.ts';
import type { Complain, InFlight } from './queue-count.ts';

/** Virtio 1.2, 5.1.3 and 6: features that make the header before a frame longer. */
const [MERGEABLE, VERSION_1, HASH_REPORT] = [15, 32, 57] as const;

/** Queues come in pairs, and the last is for commands. */
const isReceive = ({ queues }: VirtioFunctionState, queue: number): boolean =>
  queue % 2 === 0 && queue < queues.length - 1;

const hasFeature = ({ features: [low, high] }: VirtioFunctionState, bit: number): boolean =>
  (((bit < 32 ? low : high) >>> (bit & 31)) & 1) !== 0;

function headerOf(state: VirtioFunctionState): number {
  if (!hasFeature(state, VERSION_1)) return hasFeature(state, MERGEABLE) ? 12 : 10;
  return hasFeature(state, HASH_REPORT) ? 20 : 12;
}

/** A buffer given back, with how many bytes are in it. */
interface Filled {
  readonly element: InFlight;
  readonly length: number;
}

/**
 * The frames of one network card, by what its driver has in memory: what goes out is what lies behind a header, and
 * what came in lies behind one, in as many buffers as that says.
 */
export class NetFrames {
  readonly compared = { sent: 0, received: 0 };
  readonly #elements = new Map<number, InFlight>();
  /** What was taken of the wire last, and is not in memory yet. */
  #arrived: Uint8Array | undefined;
  #filled: Filled[] = [];
  #last: InFlight | undefined;

  popped(queue: number, elem: number, element: InFlight): void {
    this.#elements.set(elem, element);
    if (queue % 2 === 1) this.#last = element;
  }

  /** A frame goes out: that of the chain taken last. */
  sent(memory: GuestMemory, state: VirtioFunctionState, bytes: Uint8Array, complain: Complain): void {
    if (this.#last === undefined) {
      complain('a frame was sent that is in no chain');
      return;
    }
    const whole = gathered(memory, this.#last.out);
    this.#last = undefined;
    const frame = whole.subarray(headerOf(state));
    if (Buffer.compare(frame, bytes) !== 0) complain(`${bytes.length} bytes were sent, which the chain has not`);
    this.compared.sent += 1;
  }

  arrived(bytes: Uint8Array): void {
    this.#arrived = bytes;
  }

  /** What was taken is for nobody. */
  dropped(): void {
    this.#arrived = undefined;
  }

  filled(state: VirtioFunctionState, { queue, elem, len }: EventOf<'virtqueue_fill'>): void {
    const element = this.#elements.get(elem);
    this.#elements.delete(elem);
    if (isReceive(state, queue) && element !== undefined) this.#filled.push({ element, length: len });
  }

  /** Buffers are given back: together they hold a header and what arrived. */
  flushed(memory: GuestMemory, state: VirtioFunctionState, queue: number, complain: Complain): void {
    if (!isReceive(state, queue)) return;
    const [filled, arrived] = [this.#filled, this.#arrived];
    [this.#filled, this.#arrived] = [[], undefined];
    if (arrived === undefined) {
      complain('buffers were given back although no frame came');
      return;
    }
    const header = headerOf(state);
    const written = filled.map(({ element, length }) => firstOf(element.in, length));
    const total = filled.reduce((sum, { length }) => sum + length, 0);
    if (total !== header + arrived.length) complain(`${total} bytes are in buffers, of ${arrived.length} and a header`);
    // What is no memory keeps nothing, and two buffers in one place keep the last.
    const segments = written.flat();
    if (!segments.every((each) => memory.keeps(each) === each.length) || overlap(segments)) return;
    const bytes = gathered(memory, segments);
    if (Buffer.compare(bytes.subarray(header), arrived) !== 0) complain('the frame in memory is not the one that came');
    const buffers = bytes[10]! | (bytes[11]! << 8);
    if (hasFeature(state, MERGEABLE) && buffers !== filled.length) {
      complain(`the header tells of ${buffers} buffers where there are ${filled.length}`);
    }
    this.compared.received += 1;
  }
}

/** The first bytes of several segments. */
function firstOf(segments: readonly Segment[], length: number): Segment[] {
  const found: Segment[] = [];
  let left = length;
  for (const { gpa, length: own } of segments) {
    const taken = Math.min(own, left);
    if (taken > 0) found.push({ gpa, length: taken });
    left -= taken;
  }
  return found;
}

function overlap(segments: readonly Segment[]): boolean {
  const sorted = [...segments].sort((one, other) => one.gpa - other.gpa);
  return sorted.some(({ gpa }, at) => at > 0 && sorted[at - 1]!.gpa + sorted[at - 1]!.length > gpa);
}
