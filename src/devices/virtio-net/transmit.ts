/** Frames of a driver on their way out. QEMU 7.2: virtio_net_flush_tx and its neighbours. */
import {
  breakDevice,
  detachElement,
  dropAll,
  type Element,
  isAtWork,
  lengthOf,
  notifyDriver,
  part,
  pushElement,
  type Segment,
  setNotification,
  takeNext,
  type VirtioPart,
} from '../virtio/index.ts';
import type { Effects } from '../device.ts';
import { offloadOf } from '../../packets/offload.ts';
import { HEADER, MOST_FRAME } from './registers.ts';
import type { NetSetup } from './setup.ts';
import { vhostFollows } from './vhost.ts';
import { headerBytes, isMultiQueue, type NetFunctionState, pairOf, txQueue } from './state.ts';

export type Net = VirtioPart<NetFunctionState> & { readonly setup: NetSetup };

/** The timer by which frames of a pair wait for each other, or for the main loop. */
export const timerOf = (pair: number): string => `tx${pair}`;

/** Where a pair's frames go to and come from: a peer with several queues has one for each. */
export const wireOf = ({ effects: { peer } }: Pick<Net, 'effects'>, pair: number): number =>
  peer?.queues === undefined ? 0 : pair;

const hasTimer = ({ tx }: NetSetup): boolean => tx === 'timer';

/** A driver has put frames into a queue. Returns how many were dealt with. */
export function framesNotified(net: Net, queue: number): number {
  const { setup, state } = net;
  const pair = pairOf(queue);
  if (!state.isLinkUp) return dropFrames(net, queue);
  const isWaiting = state.waiting.includes(pair);
  if (hasTimer(setup)) {
    if (isWaiting) return sendWaiting(net, pair);
    wait(net, pair);
    return 0;
  }
  if (isWaiting) return 0;
  // The main loop that found the signal would run the bottom half at once.
  if (setup.ioeventfd && state.isStarted) return sendFrames(net, pair);
  wait(net, pair);
  return 0;
}

function dropFrames(net: Net, queue: number): number {
  const dropped = dropAll(net, queue);
  if (dropped > 0) notifyDriver(net, queue);
  return dropped;
}

/** Frames of a pair wait: for a while, or for the main loop alone. */
function wait(net: Net, pair: number): void {
  setWaiting(net, pair, true);
  armFor(net, pair);
  setNotification(net, txQueue(pair), false);
}

function armFor({ setup, effects }: Net, pair: number): void {
  effects.arm(timerOf(pair), hasTimer(setup) ? effects.now + setup['x-txtimer'] : effects.now);
}

function setWaiting({ effects }: Net, pair: number, on: boolean): void {
  effects.raise({ kind: 'sim:virtio_net_tx_waiting', dev: effects.name, pair, on });
}

/** Frames of a pair have waited. virtio_net_tx_timer, virtio_net_tx_bh. */
export function sendWaiting(net: Net, pair: number): number {
  net.effects.cancel(timerOf(pair));
  setWaiting(net, pair, false);
  return sendFrames(net, pair);
}

/** All that a driver has put there, or a burst of it: the rest waits. */
function sendFrames(net: Net, pair: number): number {
  const queue = txQueue(pair);
  if (!isAtWork(net.state)) {
    setNotification(net, queue, false);
    return 0;
  }
  const { count, end, available } = flush(net, queue);
  if (end === 'burst') wait(net, pair);
  else if (end === 'busy' || end === 'wrong') setNotification(net, queue, false);
  else if (end === 'still busy') stayQuiet(net, queue);
  else if (end === 'empty') setNotification(net, queue, true, available);
  return count;
}

/** How a queue was left. busy: a frame waits in the peer's queue; still: since before. wrong: it is an error. */
interface Flushed {
  readonly count: number;
  readonly end: 'empty' | 'burst' | 'busy' | 'still busy' | 'wrong';
  readonly available?: number;
}

function flush(net: Net, queue: number): Flushed {
  const { state, setup } = net;
  if (isBusy(state, queue)) return { count: 0, end: 'still busy' };
  let available: number | undefined;
  for (let count = 0; ; ) {
    const taken = takeNext(net, queue, { look: () => undefined, available, isQuiet: true });
    if (taken === undefined) return { count, end: 'empty', ...(available === undefined ? {} : { available }) };
    available = taken.available;
    const sent = send(net, queue, taken.element);
    if (sent !== 'sent') return { count, end: sent };
    giveBack(net, queue, taken.element);
    count += 1;
    if (count >= setup['x-txburst']) return { count, end: 'burst' };
  }
}

const isBusy = ({ sending }: NetFunctionState, queue: number): boolean =>
  sending.some((each) => each.queue === queue && each.elem !== undefined);

/** No notification is wanted; the index at which a driver notifies goes on all the same, as in QEMU. */
function stayQuiet(net: Net, queue: number): void {
  setNotification(net, queue, true);
  setNotification(net, queue, false);
}

function giveBack(net: Net, queue: number, element: Element): void {
  pushElement(net, queue, element, 0);
  notifyDriver(net, queue);
}

/** One frame goes to the peer. */
function send(net: Net, queue: number, element: Element): 'sent' | 'busy' | 'wrong' {
  const { state, effects } = net;
  const header = headerBytes(state);
  const takesHeaders = effects.peer?.takesHeaders === true;
  const why = flawOf(element, header, takesHeaders);
  if (why !== undefined) {
    breakDevice(net, queue, why);
    detachElement(net, queue, element);
    return 'wrong';
  }
  const frame = part(element.out, header, Number.MAX_SAFE_INTEGER);
  if (effects.peer === undefined || lengthOf(frame) > MOST_FRAME) return 'sent';
  const bytes = bytesOf(effects, frame);
  const left = takesHeaders ? said(effects, element.out) : undefined;
  if (effects.sendPacket(bytes, undefined, left, wireOf(net, pairOf(queue)))) return 'sent';
  effects.raise({ kind: 'sim:virtio_net_tx_queued', dev: effects.name, queue, elem: element.id });
  return 'busy';
}

function flawOf({ out }: Element, header: number, takesHeaders: boolean): string | undefined {
  if (out.length === 0) return 'virtio-net header not in first element';
  if (takesHeaders) return lengthOf(out) < header ? 'virtio-net header incorrect' : undefined;
  return lengthOf(out) <= header ? 'virtio-net nothing to send' : undefined;
}

/** What a driver leaves to others of a packet; nothing: it has done all. */
function said(effects: Effects, out: readonly Segment[]): Uint8Array {
  const header = bytesOf(effects, part(out, 0, HEADER.least));
  return offloadOf(header) === undefined ? header.subarray(0, 0) : header;
}

/** What is no memory reads zero. */
function bytesOf(effects: Effects, frame: readonly Segment[]): Uint8Array {
  const bytes = new Uint8Array(lengthOf(frame));
  let at = 0;
  for (const { gpa, length } of frame) {
    const reach = effects.ramReach(gpa, length);
    if (reach > 0) bytes.set(effects.packetPayload(gpa, reach), at);
    at += length;
  }
  return bytes;
}

/** The peer has taken the first of what waited on one of its wires. virtio_net_tx_complete. */
export function frameTaken(net: Net, wire: number): void {
  const { state, effects } = net;
  const first = state.sending.find(({ queue }) => wireOf(net, pairOf(queue)) === wire);
  if (first === undefined) return;
  const { queue, elem } = first;
  effects.raise({ kind: 'sim:virtio_net_tx_taken', dev: effects.name, queue });
  // A reset has given it back.
  if (elem === undefined) return;
  const element = elementOf(state, queue, elem);
  if (element !== undefined) giveBack(net, queue, element);
  setNotification(net, queue, true);
  if (!isAtWork(state)) return;
  const { end } = flush(net, queue);
  if (end === 'burst') wait(net, pairOf(queue));
  else if (end === 'busy') setNotification(net, queue, false);
}

const elementOf = ({ queues }: NetFunctionState, queue: number, elem: number): Element | undefined =>
  queues[queue]?.elements.find(({ id }) => id === elem);

/** Before a reset of a queue, or of all: a driver has back what waits in the peer's queue. */
export function giveBackAll(net: Net, queue?: number): void {
  for (const { queue: own, elem } of net.state.sending) {
    if (elem === undefined || (queue !== undefined && own !== queue)) continue;
    const element = elementOf(net.state, own, elem);
    if (element !== undefined) giveBack(net, own, element);
  }
}

/** What waits goes on, or waits no more. */
function waitingBy(net: Net, isStarted: (pair: number) => boolean, isWorking: (pair: number) => boolean): void {
  for (const pair of net.state.waiting) {
    if (isStarted(pair)) {
      armFor(net, pair);
      continue;
    }
    net.effects.cancel(timerOf(pair));
    if (net.state.isLinkUp || !isWorking(pair)) continue;
    setWaiting(net, pair, false);
    setNotification(net, txQueue(pair), true);
    dropFrames(net, txQueue(pair));
  }
}

/** A driver sets the status, or goes on with it: what waits goes on, or does not. virtio_net_set_status. */
export function workGoesOn(net: Net, isDriverOk: boolean): void {
  const { state, effects } = net;
  vhostFollows(net, isDriverOk);
  const isWorking = (pair: number): boolean =>
    isDriverOk && pair < state.pairs && (pair === 0 || isMultiQueue(state.features));
  const isOwn = state.isLinkUp && state.offloaded === undefined;
  const isStarted = (pair: number): boolean => isWorking(pair) && isOwn;
  for (let wire = 0; wire < (effects.peer?.queues ?? 1); wire += 1) if (isStarted(wire)) effects.takePackets(wire);
  waitingBy(net, isStarted, isWorking);
}
