/** Frames of the tap on their way to a driver. Linux 6.1: handle_rx of drivers/vhost/net.c. */
import type { Packet } from '../../devices/device.ts';
import { lengthOf, segmentBytes } from '../../devices/virtio/index.ts';
import { clientNamed, drop, NO_BYTES } from '../net/clients.ts';
import { nextFrame } from '../net/kernel.ts';
import { FEATURE } from './features.ts';
import { logBuffers } from './log-write.ts';
import { MOST_PIECES, nextChain, partOf, type Piece, type VhostChain } from './ring.ts';
import {
  BATCH,
  exceedsWeight,
  fail,
  gather,
  giveBack,
  hasFeature,
  headersOf,
  type Ran,
  readerOf,
  type Served,
  setNotify,
  vringOf,
} from './served.ts';

/** One frame, or the end of those there are. */
export function receive(served: Served): Ran {
  const { machine, tap } = served;
  const before = vringOf(served);
  if (!before.hasBackend) return { elements: 0, end: 'idle' };
  setNotify(served, false, before.availIdx);
  const packet = nextFrame(machine, tap);
  if (packet === undefined) {
    giveBack(served);
    return { elements: 0, end: 'empty' };
  }
  const room = roomFor(served, packet.bytes.length + headersOf(served).length);
  if (room.error !== undefined) {
    giveBack(served);
    return fail(served, room.error, room.avail, room.taken);
  }
  if (room.chains.length === 0) {
    setNotify(served, true, room.avail);
    giveBack(served);
    return { elements: 0, end: 'no buffers' };
  }
  return room.isShort ? discard(served, packet) : place(served, packet, room);
}

/** Chains a frame goes into. */
interface Room {
  readonly chains: readonly VhostChain[];
  readonly avail: number;
  /** The one there may be has less room than the frame takes. */
  readonly isShort?: boolean;
  readonly error?: string;
  /** Of an error: chains that are lost by it. */
  readonly taken?: number;
}

/** Enough for so many bytes; none, where the driver has not enough. get_rx_bufs. */
const roomFor = (served: Served, bytes: number): Room =>
  gather(served, () => {
    const reader = readerOf(served);
    const quota = hasFeature(served, FEATURE.mergeable) ? MOST_PIECES : 1;
    const chains: VhostChain[] = [];
    let { availIdx: avail } = reader.vring;
    let [left, pieces] = [bytes, 0];
    while (left > 0 && chains.length < quota) {
      const next = nextChain(reader, avail, chains.length);
      avail = next.avail;
      if (next.error !== undefined) return { chains: [], avail, error: next.error, taken: 0 };
      if (next.chain === undefined) return { chains: [], avail };
      const { out, in: into } = next.chain;
      const flaw = `unexpected descriptor format for RX: out ${out.length}, in ${into.length}`;
      if (out.length > 0 || into.length === 0) return { chains: [], avail, error: flaw, taken: 1 };
      pieces += into.length;
      if (pieces > MOST_PIECES) return { chains: [], avail, error: `more than ${MOST_PIECES} pieces`, taken: 0 };
      chains.push(next.chain);
      left -= lengthOf(into);
    }
    return { chains, avail, isShort: left > 0 };
  });

/** The frame is gone, the buffer is not. */
function discard({ machine, tap }: Served, packet: Packet): Ran {
  machine.raise({ kind: 'sim:tap_read', client: tap.name, packet: packet.number, len: packet.bytes.length });
  drop(machine, clientNamed(machine, tap.peer!), packet, 'longer than its buffer');
  return { elements: 1, end: 'more' };
}

function place(served: Served, packet: Packet, { chains, avail }: Room): Ran {
  const { machine, tap, queue } = served;
  const { number, bytes } = packet;
  const into = chains.flatMap((chain) => chain.in);
  const length = bytes.length + headersOf(served).length;
  const counts = { in_num: into.length, out_num: 0 };
  const heads = headsOf(chains, length);
  const ring = { client: tap.name, queue, avail };
  machine.raise({ kind: 'sim:tap_read', client: tap.name, packet: number, len: bytes.length });
  const to = { client: tap.peer!, packet: number, len: bytes.length };
  const taken = machine.after(machine.raise({ kind: 'sim:packet_delivered', ...to, bytes: NO_BYTES }));
  taken.raise({ kind: 'sim:vhost_get_desc', ...ring, heads, ...counts, segments: segmentBytes(into) });
  fill(served, packet, into, chains.length);
  logBuffers({ ...served, machine: taken }, partOf(into, 0, length));
  const vring = vringOf(served);
  if (vring.done.length > BATCH) giveBack(served);
  if (!exceedsWeight(vring)) return { elements: 1, end: 'more' };
  giveBack(served);
  return { elements: 1, end: 'weight' };
}

/** Each chain with what is written to it: all but the last are full. */
function headsOf(chains: readonly VhostChain[], length: number): Uint8Array {
  let left = length;
  const words = chains.flatMap(({ head, in: into }) => {
    const written = Math.min(left, lengthOf(into));
    left -= written;
    return [head, written];
  });
  return new Uint8Array(Uint32Array.from(words).buffer);
}

/** The header: what the tap says is left to be done, and of how many buffers there are. */
function fill(served: Served, { bytes, header }: Packet, into: readonly Piece[], buffers: number): void {
  const { length, isOwn } = headersOf(served);
  const said = new Uint8Array(hasFeature(served, FEATURE.mergeable) ? 12 : 10);
  if (!isOwn && header !== undefined) said.set(header.subarray(0, 10));
  if (said.length > 10) said.set([buffers, buffers >> 8], 10);
  write(served, into, 0, said);
  write(served, into, length, bytes);
}

function write({ machine }: Served, into: readonly Piece[], from: number, bytes: Uint8Array): void {
  let at = 0;
  for (const { hva, length } of partOf(into, from, bytes.length)) {
    machine.hostMemory.writeHost(hva, bytes.subarray(at, at + length));
    at += length;
  }
}
