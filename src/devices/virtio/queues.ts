/** Elements on their way: taken from a driver, given back to it. QEMU 7.2: hw/virtio/virtio.c. */
import { invariant } from '../../base/invariant.ts';
import type { Effects } from '../device.ts';
import { isBusMaster } from '../pci/index.ts';
import { usesMsix, type VirtioLayout } from './layout.ts';
import { FEATURE, ISR, NO_NOTIFY, NO_VECTOR, STATUS } from './registers.ts';
import {
  availableIndex,
  availEventPlace,
  type Chain,
  nextChain,
  nextHead,
  type Reader,
  usedFlags,
  usedIndex,
  usedPlace,
  wantsNotification,
  writableBytes,
} from './ring.ts';
import { segmentBytes } from './segments.ts';
import { type Element, hasFeature, isAtWork, type VirtioFunctionState, type VirtqueueState } from './state.ts';

/** Whose queues they are. */
export interface VirtioPart<S extends VirtioFunctionState> {
  readonly layout: VirtioLayout;
  readonly state: S;
  readonly effects: Effects;
}

/** A chain that is no error. */
export type GoodChain = Exclude<Chain, { readonly error: string }>;

/** What a device does with what a driver gives it. `look` is read of memory together with the chain. */
export interface Handler<Look> {
  look(chain: GoodChain): Look;
  /** False: the rest of the queue waits. */
  take(element: Element, look: Look): boolean;
}

/**
 * Deal with all that a driver has put into a queue, but once round the ring at most: more than that no ring holds.
 * Returns how many elements there were.
 */
export function serveQueue<Look>(part: VirtioPart<VirtioFunctionState>, queue: number, handler: Handler<Look>): number {
  const { state, effects } = part;
  if (!isServed(state, queueOf(state, queue))) return 0;
  let available: number | undefined;
  const { size } = queueOf(state, queue);
  let served = 0;
  // One more than all are in flight is an error.
  while (served < size || queueOf(state, queue).elements.length >= size) {
    const next = effects.transaction(() => {
      const now = queueOf(state, queue);
      available ??= availableIndex(now, effects);
      if (available === now.lastAvail) return undefined;
      const chain = nextChain(now, effects);
      return 'error' in chain ? chain : { chain, look: handler.look(chain) };
    });
    if (next === undefined) break;
    if ('error' in next) {
      breakDevice(part, queue, next.error);
      break;
    }
    served += 1;
    const isOver = !handler.take(takeChain(part, queue, next.chain), next.look);
    if (isOver || state.broken) break;
  }
  askForMore(part, queue, available);
  return served;
}

/** How many bytes a driver would have of a device, by all that it has put into a queue. 0: none, or it is broken. */
export function bytesAsked(part: VirtioPart<VirtioFunctionState>, queue: number): number {
  const { state, effects } = part;
  if (!isServed(state, queueOf(state, queue))) return 0;
  const asked = effects.transaction(() => writableBytes(queueOf(state, queue), effects));
  if ('bytes' in asked) return asked.bytes;
  breakDevice(part, queue, asked.error);
  return 0;
}

/** The next of a queue alone. Undefined: there is none, or the device is broken. */
export function takeElement(part: VirtioPart<VirtioFunctionState>, queue: number): Element | undefined {
  return takeNext(part, queue, { look: () => undefined })?.element;
}

/** How one is taken of a queue. */
interface Taking<Look> {
  look(chain: GoodChain): Look;
  /** How far the driver had come; else it is asked. */
  readonly available?: number | undefined;
  /** What the driver adds meanwhile is seen without its notification. */
  readonly isQuiet?: boolean;
}

/** What was taken, and how far the driver has come. */
interface Taken<Look> {
  readonly element: Element;
  readonly look: Look;
  readonly available: number;
}

/** The next of a queue, and what was read of memory together with its chain. virtqueue_pop. */
export function takeNext<Look>(
  part: VirtioPart<VirtioFunctionState>,
  queue: number,
  { look, available: known, isQuiet = false }: Taking<Look>,
): Taken<Look> | undefined {
  const { state, effects } = part;
  if (!isServed(state, queueOf(state, queue)) || known === queueOf(state, queue).lastAvail) return undefined;
  const next = effects.transaction(() => {
    const now = queueOf(state, queue);
    const available = known ?? availableIndex(now, effects);
    if (available === now.lastAvail) return undefined;
    const chain = nextChain(now, effects);
    return 'error' in chain ? chain : { chain, look: look(chain), available };
  });
  if (next === undefined) return undefined;
  if ('error' in next) {
    breakDevice(part, queue, next.error);
    return undefined;
  }
  const element = takeChain(part, queue, next.chain);
  if (!isQuiet) askForMore(part, queue, queueOf(state, queue).lastAvail);
  return { element, look: next.look, available: next.available };
}

/** Chains a driver has put into a queue, and why the next is none. */
export interface Ahead {
  readonly chains: readonly GoodChain[];
  readonly error?: string;
}

/** The next chains of a queue, which stay there, until there are `enough`. */
export function lookAhead(
  queue: VirtqueueState,
  reader: Reader,
  enough: (chains: readonly GoodChain[]) => boolean,
): Ahead {
  const chains: GoodChain[] = [];
  const available = availableIndex(queue, reader);
  while (!enough(chains)) {
    const [lastAvail, filled] = [(queue.lastAvail + chains.length) & 0xffff, queue.filled + chains.length];
    if (lastAvail === available) break;
    const chain = nextChain({ ...queue, lastAvail, filled }, reader);
    if ('error' in chain) return { chains, error: chain.error };
    chains.push(chain);
  }
  return { chains };
}

/** A chain, the next of its queue, becomes an element of the device. */
export function takeChain(
  { state, effects }: VirtioPart<VirtioFunctionState>,
  queue: number,
  { head, out, in: into }: GoodChain,
): Element {
  effects.raise({
    ...({ kind: 'virtqueue_pop', dev: effects.name, queue, elem: state.popped, head } as const),
    ...{ in_num: into.length, out_num: out.length, segments: segmentBytes([...out, ...into]) },
  });
  return queueOf(state, queue).elements.at(-1)!;
}

export const queueOf = ({ queues }: VirtioFunctionState, queue: number): VirtqueueState => queues[queue]!;

/** Whether the device takes anything of a queue. */
export const isServed = (state: VirtioFunctionState, { desc }: VirtqueueState): boolean =>
  desc !== 0 && !state.broken && isBusMaster(state);

/** The device has seen what there is: the driver is to notify it of what comes next. */
function askForMore(
  { state, effects }: VirtioPart<VirtioFunctionState>,
  queue: number,
  available: number | undefined,
): void {
  if (available === undefined || !hasFeature(state, FEATURE.eventIdx) || queueOf(state, queue).isQuiet) return;
  writeTold(effects, availEventPlace(queueOf(state, queue)), Uint8Array.of(available, available >> 8));
}

/** Bytes of a ring, where there is memory. */
function writeTold(effects: Effects, gpa: number, bytes: Uint8Array): void {
  const reach = effects.ramReach(gpa, bytes.length);
  if (reach > 0) effects.dmaTold(gpa, bytes.subarray(0, reach));
}

/**
 * Whether the driver is to notify the device of what it adds. `available`: how far it has come, where that is known.
 * virtio_queue_set_notification.
 */
export function setNotification(
  part: VirtioPart<VirtioFunctionState>,
  queue: number,
  on: boolean,
  available?: number,
): void {
  const { state, effects } = part;
  const { isQuiet = false, desc, used } = queueOf(state, queue);
  if (isQuiet === on) effects.raise({ kind: 'sim:virtqueue_notification', dev: effects.name, queue, on });
  if (desc === 0) return;
  if (hasFeature(state, FEATURE.eventIdx)) {
    if (on)
      askForMore(part, queue, available ?? effects.transaction(() => availableIndex(queueOf(state, queue), effects)));
  } else if (isQuiet === on) {
    const flags = effects.transaction(() => usedFlags(queueOf(state, queue), effects));
    const now = on ? flags & ~NO_NOTIFY : flags | NO_NOTIFY;
    writeTold(effects, used, Uint8Array.of(now, now >> 8));
  }
}

/** Give an element back, with how many bytes were written to it. virtqueue_push. */
export function pushElement(
  part: VirtioPart<VirtioFunctionState>,
  queue: number,
  element: Element,
  length: number,
): void {
  fillElement(part, queue, element, length);
  flushElements(part, queue);
}

/** An element is the device's no more, and not given back either. virtqueue_detach_element. */
export function detachElement({ effects }: VirtioPart<VirtioFunctionState>, queue: number, { id }: Element): void {
  effects.raise({ kind: 'sim:virtqueue_detach', dev: effects.name, queue, elem: id });
}

/** The last element taken is the next again, although bytes may have been written to it. virtqueue_unpop. */
export function unpopElement(
  { effects }: VirtioPart<VirtioFunctionState>,
  queue: number,
  { id }: Element,
  length: number,
): void {
  effects.raise({ kind: 'sim:virtqueue_unpop', dev: effects.name, queue, elem: id, len: length });
}

/** Put an element into the used ring, of which the driver is not told yet. virtqueue_fill. */
export function fillElement(
  { state, effects }: VirtioPart<VirtioFunctionState>,
  queue: number,
  { id, head }: Element,
  length: number,
): void {
  const { usedIdx, filled, used } = queueOf(state, queue);
  if (state.broken || used === 0) return;
  const place = usedPlace(queueOf(state, queue), usedIdx + filled);
  effects.raise({ kind: 'virtqueue_fill', dev: effects.name, queue, elem: id, len: length >>> 0, idx: filled });
  writeTold(effects, place, new Uint8Array(Uint32Array.of(head, length).buffer));
}

/** Tell the driver of all that was filled. virtqueue_flush. */
export function flushElements({ state, effects }: VirtioPart<VirtioFunctionState>, queue: number): void {
  const { filled, used } = queueOf(state, queue);
  if (state.broken || used === 0 || filled === 0) return;
  effects.raise({ kind: 'virtqueue_flush', dev: effects.name, queue, count: filled });
  const now = queueOf(state, queue);
  writeTold(effects, used + 2, Uint8Array.of(now.usedIdx, now.usedIdx >> 8));
}

/** Give back all that a driver has put into a queue, as it is. Returns how many there were. virtqueue_drop_all. */
export function dropAll(part: VirtioPart<VirtioFunctionState>, queue: number): number {
  const { state, effects } = part;
  let dropped = 0;
  // Once round the ring: more than that no ring holds.
  for (; dropped < queueOf(state, queue).size && isServed(state, queueOf(state, queue)); dropped++) {
    const head = effects.transaction(() => nextHead(queueOf(state, queue), effects));
    if (head === undefined) break;
    if (typeof head !== 'number') {
      breakDevice(part, queue, head.error);
      break;
    }
    const element = takeChain(part, queue, { head, out: [], in: [] });
    askForMore(part, queue, queueOf(state, queue).lastAvail);
    pushElement(part, queue, element, 0);
  }
  return dropped;
}

/** Interrupt the driver for what it was given back, if it wants to be. */
export function notifyDriver(part: VirtioPart<VirtioFunctionState>, queue: number, byIrqfd = false): void {
  const { state, effects } = part;
  if (!isBusMaster(state)) return;
  const { vector } = queueOf(state, queue);
  if (!wantsNotification(state, queueOf(state, queue), effects)) {
    effects.raise({ kind: 'sim:virtio_notify_suppressed', dev: effects.name, queue });
    return;
  }
  effects.raise({ kind: byIrqfd ? 'virtio_notify_irqfd' : 'virtio_notify', dev: effects.name, queue });
  // Of a device that broke meanwhile the interrupt status alone tells.
  if (!state.broken) interrupt(part, vector);
}

/** Somebody else took elements of a queue up to here. virtio_queue_set_last_avail_idx, virtio_queue_update_used_idx. */
export function restoreQueue(
  { state, effects }: VirtioPart<VirtioFunctionState>,
  queue: number,
  lastAvail: number,
): void {
  if (queueOf(state, queue).desc === 0) return;
  const usedIdx = effects.transaction(() => usedIndex(queueOf(state, queue), effects));
  effects.raise({ kind: 'sim:virtqueue_restored', dev: effects.name, queue, lastAvail, usedIdx });
}

/** From here on eventfds of a device say what the kernel gave back: one a queue. */
export const GUEST_NOTIFIER = 0x1_0000;

/** The kernel has given elements back, and its signal has come to user space. virtio_irq. */
export function interruptDriver(part: VirtioPart<VirtioFunctionState>, queue: number): void {
  // An old driver may have changed its mind about how many there are.
  if (part.state.queues[queue] === undefined) return;
  part.effects.raise({ kind: 'virtio_notify', dev: part.effects.name, queue });
  interrupt(part, queueOf(part.state, queue).vector);
}

/** By a message of this vector, or while MSI-X is off by the pin. */
function interrupt({ layout, state, effects }: VirtioPart<VirtioFunctionState>, vector: number): void {
  if (!usesMsix(layout, state)) effects.pin('intx', (state.isr & ISR.queue) !== 0);
  else if (vector !== NO_VECTOR) {
    const isRaised = effects.msi(vector);
    invariant(isRaised, 'MSI-X is on', { vector });
  }
}

/** Signals take notifications from now on, whatever the driver says of itself. virtio_device_start_ioeventfd. */
export function startDevice({ state, effects }: VirtioPart<VirtioFunctionState>): void {
  if (!state.isStarted) effects.raise({ kind: 'sim:virtio_started', dev: effects.name });
}

/** The device's configuration is another: a driver that is at work is told. virtio_notify_config. */
export function configChanged(part: VirtioPart<VirtioFunctionState>): void {
  const { state, effects } = part;
  if (!isAtWork(state)) return;
  effects.raise({ kind: 'sim:virtio_config_changed', dev: effects.name });
  if (!state.broken) interrupt(part, state.configVector);
}

/** A driver did what none may do. */
export function breakDevice(part: VirtioPart<VirtioFunctionState>, queue: number, why: string): void {
  const { state, effects } = part;
  effects.raise({ kind: 'sim:virtio_error', dev: effects.name, queue, why });
  if (hasFeature(state, FEATURE.version1) && (state.status & STATUS.driverOk) !== 0) {
    interrupt(part, state.configVector);
  }
}
