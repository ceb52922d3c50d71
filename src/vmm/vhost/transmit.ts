/** Frames of a driver on their way into the tap. Linux 6.1: handle_tx_copy of drivers/vhost/net.c. */
import { offloadOf } from '../../packets/offload.ts';
import { lengthOf, segmentBytes } from '../../devices/virtio/index.ts';
import type { CallOf } from '../board/pins.ts';
import { clientNamed, partOf } from '../net/clients.ts';
import { sendPacket } from '../net/wire.ts';
import { nextChain, type Next, partOf as piecesOf, type Piece, type VhostChain } from './ring.ts';
import {
  BATCH,
  driverAsks,
  exceedsWeight,
  fail,
  gather,
  giveBack,
  headersOf,
  type Ran,
  readerOf,
  type Served,
  setNotify,
  vringOf,
} from './served.ts';

/** What the kernel has room for: a frame of 64 KiB, its tags and its header. */
const MOST_FRAME = 0x1_0000 + 0x100;

/** Bytes of the header that say what is left to be done. */
const OFFLOAD_BYTES = 10;

/** One frame, or the end of those there are. */
export function transmit(served: Served, callOf: CallOf): Ran {
  const before = vringOf(served);
  if (!before.hasBackend) return { elements: 0, end: 'idle' };
  setNotify(served, false, before.availIdx);
  const { next, asked } = look(served);
  if (next.error !== undefined) {
    giveBack(served);
    return fail(served, next.error, next.avail);
  }
  if (next.chain === undefined) {
    // While this is done nobody adds anything: to look once more would find the same.
    setNotify(served, true, next.avail);
    giveBack(served, asked);
    return { elements: 0, end: 'empty' };
  }
  return take(served, { ...next, chain: next.chain }, callOf);
}

/** The next chain; where there is none what giving back the others takes. */
const look = (served: Served): { readonly next: Next; readonly asked: number } =>
  gather(served, () => {
    const next = nextChain(readerOf(served));
    const isOver = next.chain === undefined && next.error === undefined && vringOf(served).done.length > 0;
    return { next, asked: isOver ? driverAsks(served) : 0 };
  });

function take(served: Served, { chain, avail }: Next & { readonly chain: VhostChain }, callOf: CallOf): Ran {
  const { machine, tap, queue } = served;
  const why = flawOf(served, chain);
  if (why !== undefined) {
    giveBack(served);
    return fail(served, why, avail, 1);
  }
  const heads = new Uint8Array(Uint32Array.of(chain.head, 0).buffer);
  const segments = segmentBytes(chain.out);
  const counts = { in_num: 0, out_num: chain.out.length };
  machine.raise({ kind: 'sim:vhost_get_desc', client: tap.name, queue, avail, heads, ...counts, segments });
  send(served, chain.out, callOf);
  const vring = vringOf(served);
  if (exceedsWeight(vring)) {
    giveBack(served);
    return { elements: 1, end: 'weight' };
  }
  if (vring.done.length >= BATCH) giveBack(served);
  return { elements: 1, end: 'more' };
}

/** Where Linux tries a frame that its tap does not take for ever, it is lost here. */
function flawOf(served: Served, { out, in: into }: VhostChain): string | undefined {
  const { length, isOwn } = headersOf(served);
  const bytes = lengthOf(out);
  if (into.length > 0) return `Unexpected descriptor format for TX: out ${out.length}, int ${into.length}`;
  if (bytes === 0 || (isOwn && bytes <= length))
    return `Unexpected header len for TX: 0 expected ${isOwn ? length : 0}`;
  if (bytes < length) return `Fail to send a packet of ${bytes} bytes: its header has ${length}`;
  return bytes > MOST_FRAME ? `Fail to send a packet of ${bytes} bytes` : undefined;
}

function send(served: Served, out: readonly Piece[], callOf: CallOf): void {
  const { machine, tap } = served;
  const { length, isOwn } = headersOf(served);
  const part = partOf(machine, clientNamed(machine, tap.peer!))!;
  const bytes = payload(served, piecesOf(out, length, Number.MAX_SAFE_INTEGER));
  const said = isOwn ? undefined : payload(served, piecesOf(out, 0, OFFLOAD_BYTES));
  const header = said === undefined || offloadOf(said) === undefined ? undefined : said;
  sendPacket(machine, part, { bytes, header }, callOf, tap.queue);
}

/** Bytes nothing is decided by but in the fact that tells them. */
function payload({ machine }: Served, pieces: readonly Piece[]): Uint8Array {
  const bytes = new Uint8Array(lengthOf(pieces));
  let at = 0;
  for (const { hva, length } of pieces) {
    bytes.set(machine.hostMemory.readPayload(hva, length), at);
    at += length;
  }
  return bytes;
}
