import { fact, hex } from './schema.ts';

const OF_QUEUE = { dev: 'text', queue: 'u' } as const;
const OF_ELEMENT = { ...OF_QUEUE, elem: 'u' } as const;

interface OfQueue {
  readonly dev: string;
  readonly queue: number;
}

interface OfElement extends OfQueue {
  readonly elem: number;
}

const queueOf = (e: OfQueue): string => `vdev ${e.dev} vq ${e.queue}`;
const elementOf = (e: OfElement): string => `${queueOf(e)} elem ${e.elem}`;

/** What virtio devices do: QEMU's trace events (7.2, pointers as names and numbers), and what it does not trace. */
export const VIRTIO_EVENTS = {
  virtio_set_status: fact({ dev: 'text', val: 'u' }, (e) => `vdev ${e.dev} val ${e.val}`),
  /** A driver's notification has come to the device. */
  virtio_queue_notify: fact({ dev: 'text', n: 'u' }, (e) => `vdev ${e.dev} n ${e.n} vq ${e.n}`),
  /**
   * A chain of descriptors is the device's. segments: guest-physical address and length of each, 12 bytes, those it
   * may read first.
   */
  virtqueue_pop: fact(
    { ...OF_ELEMENT, head: 'u', in_num: 'u', out_num: 'u', segments: 'bytes' },
    (e) => `${elementOf(e)} in_num ${e.in_num} out_num ${e.out_num} head ${e.head}`,
  ),
  /** It is put into the used ring, `idx` places behind where that stands. */
  virtqueue_fill: fact({ ...OF_ELEMENT, len: 'u', idx: 'u' }, (e) => `${elementOf(e)} len ${e.len} idx ${e.idx}`),
  /** It is not given back: it is as if it had not been taken. len: bytes that were written to it. */
  'sim:virtqueue_unpop': fact({ ...OF_ELEMENT, len: 'u' }, (e) => `${elementOf(e)} len ${e.len}`),
  /** It is not given back, and is the device's no more. */
  'sim:virtqueue_detach': fact(OF_ELEMENT, elementOf),
  /** The kernel has served the queue, and serves it no more: how far it came, how far its used ring did. */
  'sim:virtqueue_restored': fact(
    { ...OF_QUEUE, lastAvail: 'u', usedIdx: 'u' },
    (e) => `${queueOf(e)} last avail ${e.lastAvail} used ${e.usedIdx}`,
  ),
  /** Whether the driver is to notify the device of what it adds. */
  'sim:virtqueue_notification': fact({ ...OF_QUEUE, on: 'bool' }, (e) => `${queueOf(e)} ${e.on ? 'on' : 'off'}`),
  /** The used index goes on: what was filled is the driver's. */
  virtqueue_flush: fact({ ...OF_QUEUE, count: 'u' }, (e) => `${queueOf(e)} count ${e.count}`),
  virtio_notify: fact(OF_QUEUE, queueOf),
  /** The same by the eventfd of an MSI route. */
  virtio_notify_irqfd: fact(OF_QUEUE, queueOf),
  /** The driver does not want to be interrupted for what was flushed. */
  'sim:virtio_notify_suppressed': fact(OF_QUEUE, queueOf),
  /** Features the driver accepts, of those the device offers: low and high word. */
  'sim:virtio_features': fact(
    { dev: 'text', low: 'u', high: 'u' },
    (e) => `vdev ${e.dev} accepted 0x${hex(e.high)}:${hex(e.low).padStart(8, '0')}`,
  ),
  /** Signals take notifications from now on, although the driver does not say yet that it is at work. */
  'sim:virtio_started': fact({ dev: 'text' }, (e) => `vdev ${e.dev}`),
  /** The device is as new, at a driver's wish. */
  'sim:virtio_reset': fact({ dev: 'text' }, (e) => `vdev ${e.dev}`),
  /** Its configuration is another, and its driver is to look at it. */
  'sim:virtio_config_changed': fact({ dev: 'text' }, (e) => `vdev ${e.dev}`),
  /** A driver did what none may do: nothing goes on until it resets the device. queue -1: of no queue. */
  'sim:virtio_error': fact({ dev: 'text', queue: 'i', why: 'text' }, (e) => `vdev ${e.dev} vq ${e.queue} ${e.why}`),
  /** What a driver reaches through the window in configuration space: dir is 'read' or 'write'. */
  'sim:virtio_window': fact(
    { dev: 'text', dir: 'text', region: 'u', offset: 'u', size: 'u', value: 'u' },
    (e) => `vdev ${e.dev} ${e.dir} region ${e.region} offset 0x${hex(e.offset)} size ${e.size} value 0x${hex(e.value)}`,
  ),
} as const;
