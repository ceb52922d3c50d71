/**
 * What facts do to a virtio device: registers of both interfaces, rings.
 * QEMU 7.2: hw/virtio/virtio.c, virtio-pci.c.
 */
import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer, FactReducers, RegisterRead, RegisterWrite } from '../device.ts';
import { COMMAND, PCI } from '../pci/index.ts';
import { type Structure, usesMsix, type VirtioLayout, WINDOW } from './layout.ts';
import { ADDRESS_PARTS, COMMON, FEATURE, ISR, LEGACY, LEGACY_PAGE, MOST, NO_VECTOR, STATUS } from './registers.ts';
import { segmentsFrom } from './segments.ts';
import {
  hasFeature,
  NO_FEATURES,
  queueAtReset,
  resetValues,
  type VirtioFunctionState,
  type VirtioState,
  type VirtqueueState,
  type Words,
} from './state.ts';

type Virtio = Draft<VirtioFunctionState>;
type Queue = Draft<VirtqueueState>;

/** With how many descriptors each queue has at reset, by the features that are on. */
interface Sized extends VirtioLayout {
  sizesOf(features: Words): readonly number[];
}

/** What both interfaces and all facts do to the parts of the state every virtio device has. */
export function virtioReducer(
  layout: VirtioLayout,
  sizesOf: (features: Words) => readonly number[],
): DeviceReducer<VirtioFunctionState> {
  const sized = { ...layout, sizesOf };
  return {
    written: (virtio, access) => write(sized, virtio, access),
    taken: (virtio, access) => take(layout, virtio, access),
    reset: (virtio) => {
      Object.assign(virtio, resetValues(sizesOf(NO_FEATURES)));
    },
    facts: factsOf(sized),
  };
}

function factsOf(sized: Sized): FactReducers<VirtioFunctionState> {
  return {
    virtio_set_status(virtio, { val }) {
      virtio.status = val;
      virtio.isStarted = (val & STATUS.driverOk) !== 0;
    },
    'sim:virtio_features'(virtio, { low, high }) {
      virtio.features = [low, high];
      resize(virtio, sized.sizesOf(virtio.features));
    },
    'sim:virtio_started'(virtio) {
      virtio.isStarted = true;
    },
    'sim:virtio_reset'(virtio) {
      Object.assign(virtio, resetValues(sized.sizesOf(NO_FEATURES)));
    },
    'sim:virtio_config_changed': configChanged,
    'sim:virtio_error': broken,
    'sim:virtio_window'(virtio, { dir, ...access }) {
      if (dir === 'write') write(sized, virtio, access);
      else showInWindow(sized, virtio, access);
    },
    ...RING_FACTS,
  };
}

const RING_FACTS: FactReducers<VirtioFunctionState> = {
  virtqueue_pop(virtio, { queue: number, elem, head, out_num: outs, segments }) {
    const queue = virtio.queues[number]!;
    const all = segmentsFrom(segments);
    queue.lastAvail = (queue.lastAvail + 1) & 0xffff;
    virtio.popped = elem + 1;
    queue.elements.push({ id: elem, head, out: all.slice(0, outs), in: all.slice(outs) });
  },
  virtqueue_fill(virtio, { queue: number, elem }) {
    const queue = virtio.queues[number]!;
    queue.elements = queue.elements.filter(({ id }) => id !== elem);
    queue.filled += 1;
  },
  'sim:virtqueue_unpop'(virtio, { queue: number, elem }) {
    const queue = virtio.queues[number]!;
    queue.elements = queue.elements.filter(({ id }) => id !== elem);
    queue.lastAvail = (queue.lastAvail - 1) & 0xffff;
  },
  'sim:virtqueue_detach'(virtio, { queue: number, elem }) {
    const queue = virtio.queues[number]!;
    queue.elements = queue.elements.filter(({ id }) => id !== elem);
  },
  'sim:virtqueue_restored'(virtio, { queue: number, lastAvail, usedIdx }) {
    Object.assign(virtio.queues[number]!, { lastAvail, usedIdx, isSignalledKnown: false });
  },
  'sim:virtqueue_notification'(virtio, { queue: number, on }) {
    const queue = virtio.queues[number]!;
    if (on) delete queue.isQuiet;
    else queue.isQuiet = true;
  },
  virtqueue_flush(virtio, { queue: number, count }) {
    const queue = virtio.queues[number]!;
    const before = queue.usedIdx;
    queue.usedIdx = (before + count) & 0xffff;
    queue.filled -= count;
    // Once round the numbers since the driver was told: what it was told says nothing any more.
    if (signed16(queue.usedIdx - queue.signalledUsed) < ((queue.usedIdx - before) & 0xffff)) {
      queue.isSignalledKnown = false;
    }
  },
  virtio_notify: notified,
  virtio_notify_irqfd: notified,
  'sim:virtio_notify_suppressed'(virtio, { queue }) {
    signalled(virtio.queues[queue]!);
  },
};

const signed16 = (value: number): number => (value << 16) >> 16;

function notified(virtio: Draft<VirtioState>, { queue }: { readonly queue: number }): void {
  signalled(virtio.queues[queue]!);
  virtio.isr |= ISR.queue;
}

function signalled(queue: Queue): void {
  queue.signalledUsed = queue.usedIdx;
  queue.isSignalledKnown = true;
}

/** virtio_error: a driver of today's interface is told. */
function broken(virtio: Virtio): void {
  virtio.broken = true;
  if (!hasFeature(virtio, FEATURE.version1)) return;
  virtio.status |= STATUS.needsReset;
  if ((virtio.status & STATUS.driverOk) !== 0) configChanged(virtio);
}

function configChanged(virtio: Virtio): void {
  virtio.isr |= ISR.queue | ISR.config;
  virtio.generation = (virtio.generation + 1) & 0xff;
}

function take({ structures }: VirtioLayout, virtio: Virtio, { region, offset }: RegisterRead): void {
  const structure = structures[region];
  if (structure === 'isr' || (structure === 'legacy' && offset === LEGACY.isr)) virtio.isr = 0;
}

function write(layout: Sized, virtio: Virtio, { region, offset, value }: RegisterWrite): void {
  const structure: Structure | undefined = layout.structures[region];
  if (structure === 'legacy') writeLegacy(layout, virtio, offset, value);
  else if (structure === 'common') writeCommon(layout, virtio, offset, value);
}

/** Features may bring queues: those from the last that was there on are new. */
function resize(virtio: Virtio, sizes: readonly number[]): void {
  const { queues } = virtio;
  if (sizes.length === queues.length) return;
  const kept = Math.min(sizes.length, queues.length) - 1;
  virtio.queues = sizes.map((size, queue) => (queue < kept ? queues[queue]! : (queueAtReset(size) as Queue)));
}

/** The queue a driver has selected. One that is not there keeps what is written to its registers. */
function selected({ queues, otherQueues, queueSelect }: Virtio): Queue {
  return queues[queueSelect] ?? (otherQueues[queueSelect] ??= queueAtReset(0) as Queue);
}

function writeLegacy(layout: Sized, virtio: Virtio, offset: number, value: number): void {
  if (offset >= LEGACY.deviceConfig && !usesMsix(layout, virtio)) return;
  switch (offset) {
    case LEGACY.queuePfn:
      placeLegacyRing(selected(virtio), value);
      return;
    case LEGACY.queueSelect:
      selectQueue(virtio, value);
      return;
    case LEGACY.status:
      // As in QEMU: Linux before 2.6.34 never turns bus mastering on.
      if (value === STATUS.acknowledge + STATUS.driver) virtio.config[PCI.command]! |= COMMAND.busMaster;
      return;
    case LEGACY.configVector:
      virtio.configVector = vectorOf(layout, value);
      return;
    case LEGACY.queueVector:
      setVector(layout, selected(virtio), value);
      return;
  }
}

function writeCommon(layout: Sized, virtio: Virtio, offset: number, value: number): void {
  switch (offset) {
    case COMMON.deviceFeatureSelect:
      virtio.deviceFeatureSelect = value;
      return;
    case COMMON.driverFeatureSelect:
      virtio.driverFeatureSelect = value;
      return;
    case COMMON.driverFeature:
      if (virtio.driverFeatureSelect < 2) virtio.driverFeatures[virtio.driverFeatureSelect] = value;
      return;
    case COMMON.configVector:
      virtio.configVector = vectorOf(layout, value);
      return;
    case COMMON.queueSelect:
      selectQueue(virtio, value);
      return;
    default:
      writeQueue(layout, virtio, offset, value);
  }
}

function writeQueue(layout: Sized, virtio: Virtio, offset: number, value: number): void {
  const queue = selected(virtio);
  switch (offset) {
    case COMMON.queueSize:
      if (value > 0 && value <= MOST.descriptors && queue.size > 0) queue.size = value;
      return;
    case COMMON.queueVector:
      setVector(layout, queue, value);
      return;
    case COMMON.queueEnable:
      if (value === 1) enable(queue);
      return;
    case COMMON.queueReset:
      if (value === 1)
        Object.assign(queue, queueAgain(layout.sizesOf(virtio.features)[virtio.queueSelect] ?? 0, queue));
      return;
    default:
      writeAddress(queue, offset, value);
  }
}

function writeAddress({ registers }: Queue, offset: number, value: number): void {
  const part = ADDRESS_PARTS[(offset - COMMON.queueDescLow) >> 3];
  if (offset < COMMON.queueDescLow || part === undefined || offset % 4 !== 0) return;
  registers[part][(offset >> 2) & 1] = value;
}

function selectQueue(virtio: Virtio, value: number): void {
  if (value < MOST.queues) virtio.queueSelect = value;
}

const vectorOf = ({ vectors }: VirtioLayout, value: number): number => (value < vectors ? value : NO_VECTOR);

function setVector(layout: VirtioLayout, queue: Queue, value: number): void {
  queue.vector = vectorOf(layout, value);
}

/** virtio_queue_update_rings: one behind the other, the used ring on a page of its own. */
function placeLegacyRing(queue: Queue, page: number): void {
  if (queue.size === 0 || page === 0) return;
  queue.desc = page * LEGACY_PAGE;
  queue.avail = queue.desc + 16 * queue.size;
  queue.used = LEGACY_PAGE * Math.ceil((queue.avail + 4 + 2 * queue.size) / LEGACY_PAGE);
}

function enable(queue: Queue): void {
  queue.enabled = true;
  if (queue.size === 0) return;
  const { desc, driver, device } = queue.registers;
  queue.desc = addressOf(desc);
  queue.avail = addressOf(driver);
  queue.used = addressOf(device);
}

/** Beyond 2^53 it is not exact; no memory is there. */
const addressOf = ([low, high]: readonly [number, number]): number => high * 2 ** 32 + low;

/** virtio_queue_reset: QEMU puts back the size, too, and keeps the addresses a driver wrote. */
const queueAgain = (size: number, { registers }: Queue): Queue => ({ ...(queueAtReset(size) as Queue), registers });

/** The data of the window are what was read. */
function showInWindow({ window }: VirtioLayout, virtio: Virtio, { size, value }: RegisterWrite): void {
  if (window === undefined) return;
  for (let at = 0; at < size; at++) virtio.config[window + WINDOW.data + at] = (value >>> (8 * at)) & 0xff;
}
