/** Requests of a driver, and what becomes of them. QEMU 7.2: hw/block/virtio-blk.c. */
import { SECTOR } from '../../base/units.ts';
import type { DiskRequest, Effects, ErrorPolicy } from '../device.ts';
import {
  breakDevice,
  type Element,
  type GoodChain,
  lengthOf,
  notifyDriver,
  part,
  pushElement,
  readMemory,
  scatter,
  type Segment,
  serveQueue,
  type VirtioPart,
} from '../virtio/index.ts';
import { driveOf } from './config.ts';
import { HEADER_BYTES, ID_BYTES, MOST_SECTORS, RANGE_BYTES, RESULT, TYPE, UNMAP } from './registers.ts';
import type { BlkSetup } from './setup.ts';
import type { BlkFunctionState } from './state.ts';

type Blk = VirtioPart<BlkFunctionState>;

/** What of a request decides what is done with it. */
interface Look {
  /** Undefined: it is too short. */
  readonly header: { readonly type: number; readonly sector: bigint } | undefined;
  /** Of a discard or a write of zeroes. Undefined: it is too short. */
  readonly range: { readonly sector: bigint; readonly count: number; readonly flags: number } | undefined;
}

/** Deal with all requests of a queue. Returns how many there were. */
export function serveRequests(setup: BlkSetup, blk: Blk, queue: number): number {
  return serveQueue<Look>(blk, queue, {
    look: (chain) => lookAt(chain, blk.effects),
    take: (element, look) => handle(setup, blk, { queue, element }, look),
  });
}

function lookAt({ out }: GoodChain, effects: Effects): Look {
  const header = gathered(out, 0, HEADER_BYTES, effects);
  if (header === undefined) return { header, range: undefined };
  const type = header.getUint32(0, true);
  const hasRange = isRange(type) && lengthOf(out) <= HEADER_BYTES + RANGE_BYTES;
  const range = hasRange ? gathered(out, HEADER_BYTES, RANGE_BYTES, effects) : undefined;
  return {
    header: { type, sector: header.getBigUint64(8, true) },
    range: range && {
      sector: range.getBigUint64(0, true),
      count: range.getUint32(8, true),
      flags: range.getUint32(12, true),
    },
  };
}

/** Bytes of several segments; undefined: there are not so many. */
function gathered(segments: readonly Segment[], from: number, length: number, effects: Effects): DataView | undefined {
  const parts = part(segments, from, length);
  if (lengthOf(parts) < length) return undefined;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const each of parts) {
    bytes.set(readMemory(effects, each), at);
    at += each.length;
  }
  return new DataView(bytes.buffer);
}

/** A type without its direction and what QEMU ignores. */
const commandOf = (type: number): number => (type & ~(TYPE.out | TYPE.barrier)) >>> 0;

const isRange = (type: number): boolean =>
  commandOf(type) === commandOf(TYPE.discard) || commandOf(type) === commandOf(TYPE.writeZeroes);

/** An element as a request. */
interface Asked {
  readonly queue: number;
  readonly element: Element;
}

/** False: the device is broken. */
function handle(setup: BlkSetup, blk: Blk, asked: Asked, { header, range }: Look): boolean {
  const { element, queue } = asked;
  const why = flawOf(element, header);
  if (why !== undefined || header === undefined) {
    breakDevice(blk, queue, why ?? 'virtio-blk request outhdr too short');
    return false;
  }
  const { type, sector } = header;
  switch (commandOf(type)) {
    case TYPE.in:
      transfer(setup, blk, asked, (type & TYPE.out) !== 0, sector);
      return true;
    case TYPE.flush:
      submit(setup, blk, asked, 'flush', 0, 0);
      return true;
    case TYPE.getId:
      writeId(setup, blk, asked);
      return true;
    case TYPE.scsiCommand:
      refuseScsi(blk, asked);
      return true;
    case commandOf(TYPE.discard):
    case commandOf(TYPE.writeZeroes):
      return clear(setup, blk, asked, type, range);
    default:
      finish(blk, asked, RESULT.unsupported);
      return true;
  }
}

function flawOf({ out, in: into }: Element, header: Look['header']): string | undefined {
  if (out.length < 1 || into.length < 1) return 'virtio-blk missing headers';
  return header === undefined ? 'virtio-blk request outhdr too short' : undefined;
}

/** What the data of a request are. */
const dataOf = ({ out, in: into }: Element, isWrite: boolean): Segment[] =>
  isWrite ? part(out, HEADER_BYTES, lengthOf(out)) : part(into, 0, lengthOf(into) - 1);

function transfer(setup: BlkSetup, blk: Blk, asked: Asked, isWrite: boolean, sector: bigint): void {
  const { effects } = blk;
  const length = lengthOf(dataOf(asked.element, isWrite));
  const nsectors = Math.floor(length / SECTOR);
  effects.raise({
    kind: isWrite ? 'virtio_blk_handle_write' : 'virtio_blk_handle_read',
    ...{ dev: effects.name, req: asked.element.id, sector, nsectors },
  });
  if (!isInRange(setup, effects, sector, length)) finish(blk, asked, RESULT.ioError);
  else submit(setup, blk, asked, isWrite ? 'write' : 'read', Number(sector) * SECTOR, length);
}

/** virtio_blk_sect_range_ok. */
function isInRange(setup: BlkSetup, effects: Effects, sector: bigint, length: number): boolean {
  const { logical_block_size: block } = setup;
  const total = BigInt(driveOf(setup, effects).sectors);
  const count = BigInt(Math.floor(length / SECTOR));
  if (count > MOST_SECTORS || sector % BigInt(block / SECTOR) !== 0n || length % block !== 0) return false;
  return sector <= total && count <= total - sector;
}

function submit(
  setup: BlkSetup,
  { state, effects }: Blk,
  { element }: Asked,
  op: DiskRequest['op'],
  offset: number,
  length: number,
): void {
  const isThrough = op !== 'read' && op !== 'flush' && !hasWriteCache(setup, state, effects);
  effects.submit({ drive: setup.drive, tag: element.id, op, offset, length, ...(isThrough ? { fua: true } : {}) });
}

/** Whether writes wait for a flush: as the driver wants it, or else as the drive was made. */
export function hasWriteCache(setup: BlkSetup, { writeCache }: BlkFunctionState, effects: Effects): boolean {
  const wanted = writeCache === 'as made' ? setup['write-cache'] : writeCache;
  return wanted === 'auto' ? driveOf(setup, effects).writeCache : wanted === 'on';
}

function writeId(setup: BlkSetup, blk: Blk, asked: Asked): void {
  const into = dataOf(asked.element, false);
  const serial = new TextEncoder().encode(
    `${setup.serial === '' ? driveOf(setup, blk.effects).serial : setup.serial}\0`,
  );
  scatter(blk.effects, part(into, 0, ID_BYTES), serial);
  finish(blk, asked, RESULT.ok);
}

/** Nobody passes SCSI commands on: virtio_blk_handle_scsi. */
function refuseScsi(blk: Blk, asked: Asked): void {
  const { out, in: into } = asked.element;
  const header = into.at(-2);
  if (out.length < 2 || into.length < 3 || header === undefined) {
    finish(blk, asked, RESULT.ioError);
    return;
  }
  scatter(blk.effects, part([header], 0, 4), Uint8Array.of(0xff, 0, 0, 0));
  finish(blk, asked, RESULT.unsupported);
}

/** A discard or a write of zeroes. False: the device is broken. */
function clear(setup: BlkSetup, blk: Blk, asked: Asked, type: number, range: Look['range']): boolean {
  const isZeroes = (type & ~TYPE.barrier) === TYPE.writeZeroes;
  if ((type & TYPE.out) === 0 || lengthOf(asked.element.out) > HEADER_BYTES + RANGE_BYTES) {
    finish(blk, asked, RESULT.unsupported);
    return true;
  }
  if (range === undefined) {
    breakDevice(blk, asked.queue, 'virtio-blk discard/write_zeroes header too short');
    return false;
  }
  const { sector, count, flags } = range;
  const length = count * SECTOR;
  if (
    count > setup[isZeroes ? 'max-write-zeroes-sectors' : 'max-discard-sectors'] ||
    !isInRange(setup, blk.effects, sector, length)
  )
    finish(blk, asked, RESULT.ioError);
  else if ((flags & ~UNMAP) !== 0 || (!isZeroes && (flags & UNMAP) !== 0)) finish(blk, asked, RESULT.unsupported);
  else submit(setup, blk, asked, isZeroes ? 'write-zeroes' : 'discard', Number(sector) * SECTOR, length);
  return true;
}

/** A request to the drive is done: the bytes move, and the driver has its element back. */
export function completed(setup: BlkSetup, blk: Blk, request: DiskRequest, result: number): void {
  const { effects } = blk;
  const { tag, op, offset, length } = request;
  const asked = requestOf(blk.state, tag);
  if (asked === undefined) return;
  if (op === 'read' || op === 'write') {
    effects.raise({ kind: 'virtio_blk_rw_complete', dev: effects.name, req: tag, ret: result });
  }
  if (result !== 0) {
    refuse(setup, blk, asked, request, result);
    return;
  }
  if (op === 'read') readIn(setup, effects, dataOf(asked.element, false), offset);
  else if (op === 'write') takeOut(setup, effects, dataOf(asked.element, true), offset);
  else if (clears(setup, op, effects)) effects.diskClear(setup.drive, offset, length);
  finish(blk, asked, RESULT.ok);
}

/** It failed: the driver is told, or is not, or the element stays until the drive is asked again. */
function refuse(setup: BlkSetup, blk: Blk, asked: Asked, request: DiskRequest, result: number): void {
  const own = request.op === 'read' ? setup.rerror : setup.werror;
  const action = blk.effects.failed(request, result, own === 'auto' ? undefined : (own as ErrorPolicy));
  if (action !== 'stop') finish(blk, asked, action === 'ignore' ? RESULT.ok : RESULT.ioError);
}

/** What is discarded keeps what it held, unless the drive was made otherwise: QEMU's `discard=ignore`. */
const clears = (setup: BlkSetup, op: DiskRequest['op'], effects: Effects): boolean =>
  op === 'write-zeroes' || (op === 'discard' && driveOf(setup, effects).discards === true);

/** Undefined: its queue was reset meanwhile. */
function requestOf({ queues }: BlkFunctionState, tag: number): Asked | undefined {
  for (const [queue, { elements }] of queues.entries()) {
    const element = elements.find(({ id }) => id === tag);
    if (element !== undefined) return { queue, element };
  }
  return undefined;
}

/** Bytes that move at once: a request may be of gigabytes. */
const PIECE = 2 ** 20;

/** Segments as pieces, each with where it is on the disk. */
function* piecesOf(segments: readonly Segment[], offset: number): Generator<Segment & { readonly at: number }> {
  let at = offset;
  for (const { gpa, length } of segments) {
    for (let done = 0; done < length; done += PIECE) {
      yield { gpa: gpa + done, length: Math.min(PIECE, length - done), at: at + done };
    }
    at += length;
  }
}

function readIn({ drive }: BlkSetup, effects: Effects, into: readonly Segment[], offset: number): void {
  for (const { gpa, length, at } of piecesOf(into, offset)) {
    const reach = effects.ramReach(gpa, length);
    if (reach > 0) effects.dmaWrite(gpa, effects.diskRead(drive, at, reach));
  }
}

function takeOut({ drive }: BlkSetup, effects: Effects, from: readonly Segment[], offset: number): void {
  for (const { gpa, length, at } of piecesOf(from, offset)) {
    const bytes = new Uint8Array(length);
    const reach = effects.ramReach(gpa, length);
    if (reach > 0) bytes.set(effects.payload(gpa, reach));
    effects.diskWrite(drive, at, bytes);
  }
}

/** Status byte, used ring, interrupt. virtio_blk_req_complete. */
function finish(blk: Blk, { queue, element }: Asked, status: number): void {
  const { effects, layout } = blk;
  effects.raise({ kind: 'virtio_blk_req_complete', dev: effects.name, req: element.id, status });
  const last = element.in.at(-1);
  if (last !== undefined) {
    const place = last.gpa + last.length - 1;
    if (effects.ramReach(place, 1) === 1) effects.dmaTold(place, Uint8Array.of(status));
  }
  pushElement(blk, queue, element, lengthOf(element.in));
  notifyDriver(blk, queue, layout.setup.ioeventfd);
}
