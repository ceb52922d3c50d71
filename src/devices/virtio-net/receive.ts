/** Frames of the peer on their way to the driver. QEMU 7.2: virtio_net_receive_rcu. */
import type { Packet } from '../device.ts';
import {
  availableIndex,
  breakDevice,
  detachElement,
  type Element,
  fillElement,
  flushElements,
  type GoodChain,
  isAtWork,
  isServed,
  lengthOf,
  lookAhead,
  notifyDriver,
  part,
  queueOf,
  readingOnce,
  scatterTold,
  setNotification,
  takeChain,
  unpopElement,
  writableBytes,
} from '../virtio/index.ts';
import { macOf } from './config.ts';
import { isFor } from './filter.ts';
import { HEADER, NUM_BUFFERS } from './registers.ts';
import { pairFor } from './rss.ts';
import { headerBytes, merges, type NetFunctionState, rxQueue } from './state.ts';
import type { Net } from './transmit.ts';

/** Whether a driver can have frames. virtio_net_can_receive. */
export const isReceiving = (state: NetFunctionState, pair = 0): boolean =>
  isAtWork(state) && pair < state.pairs && (state.queues[rxQueue(pair)]?.avail ?? 0) !== 0;

/** False: there is no room for it, and it waits. */
export function receiveFrame(net: Net, packet: Packet): boolean {
  const { state, effects, setup } = net;
  const { bytes } = packet;
  const drop = (why: string): true => {
    effects.commit();
    effects.dropPacket(packet, why);
    return true;
  };
  const at = packet.queue ?? 0;
  if (!isReceiving(state, at)) return drop('the driver is not at work');
  const header = headerBytes(state);
  if (bytes.length === 0) return drop('empty');
  const isWanted = isFor(state, macOf(setup, state), bytes);
  const pair = state.rss === undefined && effects.peer?.queues !== undefined ? at : pairFor(state, bytes);
  if (!isReceiving(state, pair)) return drop('the queue is not there');
  const rx = rxQueue(pair);
  const room = roomFor(net, rx, bytes.length + header, isWanted);
  if (room.error !== undefined) breakDevice(net, rx, room.error);
  if (!room.isEnough) {
    setNotification(net, rx, true, room.available);
    return false;
  }
  effects.commit();
  setNotification(net, rx, false);
  if (isWanted) place(net, packet, { rx, header }, room);
  else effects.dropPacket(packet, 'not for the driver');
  return true;
}

/** Buffers of a driver. */
interface Room {
  readonly isEnough: boolean;
  /** In which a frame has place, one behind the other. */
  readonly chains: readonly GoodChain[];
  /** Why there are no more. */
  readonly flaw?: string | undefined;
  /** The driver did what none may do, and there is no room. */
  readonly error?: string;
  readonly available: number;
}

/**
 * What a driver has for so many bytes, header and all. One buffer is enough if frames have only one, however long it
 * is. All of it is one transaction. virtio_net_has_buffers.
 */
function roomFor(net: Net, rx: number, bytes: number, isWanted: boolean): Room {
  const { state, effects } = net;
  return effects.transaction(() => {
    const reader = readingOnce(effects);
    const queue = queueOf(state, rx);
    const available = availableIndex(queue, reader);
    const isTaken = isServed(state, queue);
    const none = { isEnough: false, chains: [], available };
    if (merges(state) || !isTaken || available === queue.lastAvail) {
      const seen = writableBytes(queue, reader, bytes);
      if ('error' in seen) return { ...none, error: seen.error };
      if (seen.bytes < bytes) return none;
    }
    if (!isWanted || !isTaken) return { ...none, isEnough: true };
    const { chains, error: flaw } = lookAhead(queue, reader, (some) => isEnough(some, bytes, merges(state)));
    return { isEnough: true, chains, flaw, available };
  });
}

/** One that has no room at all is an error, so that nobody looks further. */
function isEnough(chains: readonly GoodChain[], bytes: number, isMerging: boolean): boolean {
  if (!isMerging) return chains.length > 0;
  const room = chains.map(({ in: into }) => lengthOf(into));
  return room.includes(0) || room.reduce((sum, each) => sum + each, 0) >= bytes;
}

/** Where a packet goes: the queue, and how long a header the driver has. */
interface Headers {
  readonly rx: number;
  readonly header: number;
}

interface Filled {
  readonly element: Element;
  readonly length: number;
}

function place(net: Net, packet: Packet, headers: Headers, room: Room): void {
  const filled: Filled[] = [];
  const why = fill(net, packet, headers, room, filled);
  if (why === undefined) {
    giveBack(net, headers.rx, filled);
    return;
  }
  for (const { element } of filled) detachElement(net, headers.rx, element);
  net.effects.dropPacket(packet, why);
}

/** Put a frame into buffers. Undefined: it is there whole; else why it is not. */
function fill(net: Net, packet: Packet, headers: Headers, room: Room, filled: Filled[]): string | undefined {
  const frame = packet.bytes;
  for (let at = 0; at < frame.length; ) {
    const chain = room.chains[filled.length];
    if (chain === undefined) return endOfQueue(net, packet, headers, room, { buffers: filled.length, at });
    const element = takeChain(net, headers.rx, chain);
    const skip = filled.length === 0 ? headers.header : 0;
    const flaw = flawOf(element, skip);
    if (flaw !== undefined) {
      breakDevice(net, headers.rx, flaw);
      detachElement(net, headers.rx, element);
      return flaw;
    }
    if (skip > 0) scatterTold(net.effects, element.in, headerOf(packet));
    const some = frame.subarray(at, at + lengthOf(element.in) - skip);
    scatterTold(net.effects, part(element.in, skip, some.length), some);
    at += some.length;
    if (at < frame.length && !merges(net.state)) {
      unpopElement(net, headers.rx, element, skip + some.length);
      return 'longer than its buffer';
    }
    filled.push({ element, length: skip + some.length });
  }
  return undefined;
}

/** What is wrong with a buffer. In QEMU one without room for the header ends the process. */
function flawOf({ in: into }: Element, header: number): string | undefined {
  if (into.length === 0) return 'virtio-net receive queue contains no in buffers';
  return lengthOf(into) < header ? 'virtio-net receive buffer has no room for the header' : undefined;
}

/** There is no next buffer, although there seemed to be enough. */
function endOfQueue(
  net: Net,
  { bytes }: Packet,
  { rx, header }: Headers,
  { flaw }: Room,
  { buffers, at }: { readonly buffers: number; readonly at: number },
): string {
  if (flaw !== undefined) breakDevice(net, rx, flaw);
  if (buffers > 0) {
    const [low, high] = net.state.features;
    const features = (BigInt(high) * 2n ** 32n + BigInt(low)).toString(16);
    const before = net.effects.peer?.takesHeaders === true ? header : 0;
    const sizes = `size ${before + bytes.length}, guest hdr len ${header}, host hdr len ${before}`;
    const places = `offset ${before + at}, ${sizes}`;
    const why = `i ${buffers} mergeable ${merges(net.state) ? 1 : 0} ${places} guest features 0x${features}`;
    breakDevice(net, rx, `virtio-net unexpected empty queue: ${why}`);
  }
  return 'no buffer';
}

/** What the driver finds before a frame, but for the number of buffers. */
const headerOf = ({ header }: Packet): Uint8Array =>
  header === undefined || header.length === 0 ? new Uint8Array(HEADER.least) : header;

/** The driver has its buffers back, and the first says how many there are, if there may be several. */
function giveBack(net: Net, rx: number, filled: readonly Filled[]): void {
  const [first] = filled;
  if (first !== undefined && merges(net.state)) {
    const place = part(first.element.in, NUM_BUFFERS, 2);
    scatterTold(net.effects, place, Uint8Array.of(filled.length, filled.length >> 8));
  }
  for (const { element, length } of filled) fillElement(net, rx, element, length);
  flushElements(net, rx);
  notifyDriver(net, rx);
}
