/** Virtqueues: what lies in guest memory, what the device has seen of it, what is in flight. Virtio 1.1, 2.6. */
import { Problem } from '../../base/problem.ts';
import { type Element, hasFeature, type Segment, type VirtqueueState } from '../../devices/virtio/index.ts';
import { DESCRIPTOR, FEATURE, NO_INTERRUPT, NO_VECTOR } from '../../devices/virtio/registers.ts';
import { type GuestView, readPhysical } from '../../machine/guest-view.ts';
import type { RequestInFlight } from '../../vmm/state.ts';
import { named, type VirtioSeen, virtioDevices } from './parts.ts';
import { viewOf } from './view.ts';

/** A descriptor as it lies in memory. */
interface DescriptorSeen {
  readonly index: number;
  readonly gpa: bigint;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
}

/** What the device has taken and not given back. */
interface InFlightSeen extends Element {
  /** What it asks of a drive meanwhile. */
  readonly request: Pick<RequestInFlight, 'op' | 'offset' | 'length' | 'due'> | undefined;
}

/** A queue that a driver has set up. */
interface RingSeen {
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  /** Read from memory; undefined: there is none. */
  readonly availIdx: number | undefined;
  readonly availFlags: number | undefined;
  readonly usedIdx: number | undefined;
  readonly usedFlags: number | undefined;
  /** With EVENT_IDX: from which index on each wants to hear of the other. */
  readonly usedEvent: number | undefined;
  readonly availEvent: number | undefined;
  /** Heads that are available and not taken, oldest first. */
  readonly waiting: readonly number[];
  readonly lastUsed: readonly { readonly head: number; readonly length: number }[];
  readonly descriptors: readonly DescriptorSeen[];
}

/** One queue of a device. */
interface QueueSeen {
  readonly device: string;
  readonly queue: number;
  readonly size: number;
  readonly vector: number | undefined;
  readonly isBroken: boolean;
  /** Of the device: how far it has come in the available ring, and in the used one. */
  readonly lastAvail: number;
  readonly usedIdx: number;
  readonly inFlight: readonly InFlightSeen[];
  readonly ring: RingSeen | undefined;
}

const SHOWN = 8;
const MOST_DESCRIPTORS = 256;

function queueSeen(view: GuestView, { part, state }: VirtioSeen, number: number): QueueSeen {
  const queue = state.queues[number]!;
  const { size, vector, lastAvail, usedIdx, elements, desc } = queue;
  const requests = Object.values(view.machine.state.vmm.drives).flatMap(({ inFlight }) => inFlight);
  return {
    device: part.name,
    queue: number,
    size,
    vector: vector === NO_VECTOR ? undefined : vector,
    isBroken: state.broken,
    lastAvail,
    usedIdx,
    inFlight: elements.map((element) => {
      const request = requests.find(({ dev, tag }) => dev === part.name && tag === element.id);
      return structuredClone({ ...element, request: request && { ...request } });
    }),
    ring: desc === 0 ? undefined : ringSeen(view, queue, hasFeature(state, FEATURE.eventIdx)),
  };
}

function ringSeen(view: GuestView, queue: VirtqueueState, hasEventIdx: boolean): RingSeen {
  const { size, desc, avail, used, lastAvail } = queue;
  const word = (gpa: number): number | undefined => numberAt(view, gpa, 2);
  const availIdx = word(avail + 2);
  const usedIdx = word(used + 2);
  const waiting = Math.min(size, ((availIdx ?? lastAvail) - lastAvail) & 0xffff);
  const told = Math.min(SHOWN, usedIdx ?? 0);
  return {
    desc,
    avail,
    used,
    availIdx,
    availFlags: word(avail),
    usedIdx,
    usedFlags: word(used),
    usedEvent: hasEventIdx ? word(avail + 4 + 2 * size) : undefined,
    availEvent: hasEventIdx ? word(used + 4 + 8 * size) : undefined,
    waiting: Array.from({ length: waiting }, (_, at) => word(avail + 4 + 2 * ((lastAvail + at) % size)) ?? 0),
    lastUsed: Array.from({ length: told }, (_, at) => {
      const place = used + 4 + 8 * (((usedIdx ?? 0) - told + at) % size);
      return { head: numberAt(view, place, 4) ?? 0, length: numberAt(view, place + 4, 4) ?? 0 };
    }),
    descriptors: descriptorsOf(view, queue),
  };
}

function numberAt(view: GuestView, gpa: number, size: 2 | 4): number | undefined {
  const bytes = readPhysical(view, gpa, size);
  if (bytes.length < size) return undefined;
  const data = new DataView(bytes.buffer, bytes.byteOffset);
  return size === 2 ? data.getUint16(0, true) : data.getUint32(0, true);
}

/** Those a driver has written to. */
function descriptorsOf(view: GuestView, { desc, size }: VirtqueueState): DescriptorSeen[] {
  const bytes = readPhysical(view, desc, size * DESCRIPTOR.bytes);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const all = Array.from({ length: Math.floor(bytes.length / DESCRIPTOR.bytes) }, (_, index): DescriptorSeen => {
    const at = index * DESCRIPTOR.bytes;
    return {
      index,
      gpa: data.getBigUint64(at, true),
      length: data.getUint32(at + 8, true),
      flags: data.getUint16(at + 12, true),
      next: data.getUint16(at + 14, true),
    };
  });
  return all.filter(({ gpa, length }) => gpa !== 0n || length !== 0);
}

function queueText(seen: QueueSeen, isWhole: boolean): string[] {
  const { device, queue, size, vector, lastAvail, usedIdx, inFlight, ring } = seen;
  const interrupt = vector === undefined ? 'no vector' : `vector ${vector}`;
  const where = `${device} queue ${queue}: ${size} descriptors, ${interrupt}`;
  const broken = seen.isBroken ? ', the device is broken' : '';
  if (ring === undefined) return [`${where}${broken}, not set up`];
  const { waiting } = ring;
  return [
    `${where}${broken}`,
    `  descriptors at ${hex(ring.desc)}, available at ${hex(ring.avail)}, used at ${hex(ring.used)}`,
    `  driver: ${ringText(ring.availIdx, ring.availFlags, NO_INTERRUPT, 'no interrupt')}${eventText(ring.usedEvent)}`,
    `  device: ${ringText(ring.usedIdx, ring.usedFlags, 1, 'no notification')}${eventText(ring.availEvent)}`,
    `  the device has seen ${lastAvail} and used ${usedIdx}: ${waiting.length} waiting, ${inFlight.length} in flight`,
    ...(waiting.length === 0 ? [] : [`  waiting: heads ${waiting.join(' ')}`]),
    ...inFlight.flatMap(elementText),
    ...(isWhole ? wholeText(ring) : []),
  ];
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

const ringText = (idx: number | undefined, flags: number | undefined, bit: number, means: string): string =>
  idx === undefined ? 'no memory there' : `index ${idx}${((flags ?? 0) & bit) === 0 ? '' : `, ${means} wanted`}`;

const eventText = (event: number | undefined): string => (event === undefined ? '' : `, to hear of ${event}`);

const segmentsText = (segments: readonly Segment[]): string =>
  segments.map(({ gpa, length }) => `${hex(gpa)}+${length}`).join(' ');

function elementText({ id, head, out, in: into, request }: InFlightSeen): string[] {
  const asks =
    request === undefined
      ? ''
      : `: ${request.op} offset ${hex(request.offset)} length ${request.length}, due at ${request.due} ns`;
  return [
    `  element ${id}, head ${head}${asks}`,
    ...(out.length === 0 ? [] : [`    device reads ${segmentsText(out)}`]),
    ...(into.length === 0 ? [] : [`    device writes ${segmentsText(into)}`]),
  ];
}

const FLAGS = [
  [DESCRIPTOR.next, 'next'],
  [DESCRIPTOR.write, 'write'],
  [DESCRIPTOR.indirect, 'indirect'],
] as const;

function wholeText({ lastUsed, descriptors }: RingSeen): string[] {
  const used = lastUsed.map(({ head, length }) => `${head} (${length} bytes)`).join(', ');
  const more = descriptors.length - MOST_DESCRIPTORS;
  return [
    ...(lastUsed.length === 0 ? [] : [`  last used: ${used}`]),
    ...descriptors.slice(0, MOST_DESCRIPTORS).map(({ index, gpa, length, flags, next }) => {
      const words = FLAGS.flatMap(([bit, word]) =>
        (flags & bit) === 0 ? [] : [word === 'next' ? `next ${next}` : word],
      );
      return `  descriptor ${index}: ${hex(gpa)}+${length}${words.length === 0 ? '' : ` ${words.join(', ')}`}`;
    }),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

/** What is asked for: all queues of all devices, of one, or one queue with all that lies in it. */
function asked(view: GuestView, words: string): { readonly isWhole: boolean; readonly queues: QueueSeen[] } {
  const [name = '', number] = words.split(/\s+/);
  const all = virtioDevices(view);
  const devices = name === '' ? all : [named(all, name, 'virtio device')];
  if (number === undefined) {
    const queues = devices.flatMap((device) => device.state.queues.map((_, at) => queueSeen(view, device, at)));
    return { isWhole: false, queues };
  }
  const [device] = devices as [VirtioSeen];
  const { length } = device.state.queues;
  const at = Number(number);
  if (!/^\d+$/.test(number) || at >= length) {
    throw new Problem(`${device.part.name} has queues 0 to ${length - 1}: there is no ${number}.`);
  }
  return { isWhole: true, queues: [queueSeen(view, device, at)] };
}

export const VIRTQUEUES = viewOf({
  usage: 'virtq [DEV [N]]',
  help: 'queues of virtio devices: indices, what is in flight; of one queue its rings and descriptors too',
  look: ({ view }, words) => asked(view, words),
  print: ({ isWhole, queues }) =>
    queues.length === 0 ? 'There is no virtio device.' : queues.flatMap((each) => queueText(each, isWhole)).join('\n'),
});
