import type { EventOf } from '../../../src/events/vocabulary.ts';
import type { DiskShadow } from './disk-shadow.ts';
import { gathered, type GuestMemory, type Segment } from './guest-memory.ts';
import type { Complain, InFlight } from './queue-count.ts';

/** Virtio 1.1, 5.2.6. */
const TYPE = { in: 0, out: 1, discard: 11, writeZeroes: 13, barrier: 0x8000_0000 } as const;
const HEADER_BYTES = 16;
const RANGE_BYTES = 16;
const SECTOR = 512;

/** What a request in guest memory asks for. */
interface Request {
  readonly op: 'read' | 'write' | 'discard' | 'write-zeroes' | 'other';
  /** In bytes. */
  readonly offset: number;
  readonly length: number;
  readonly element: InFlight;
  drive?: string;
  isDone?: boolean;
  /** It failed, and the drive's user wants drivers not to know. */
  isIgnored?: boolean;
  status?: number;
}

/** A drive, whether what is discarded there reads as zeroes, and which failures drivers are not told of. */
export interface ShadowedDrive {
  readonly shadow: DiskShadow;
  readonly discards: boolean;
  readonly ignoresReadErrors: boolean;
  readonly ignoresWriteErrors: boolean;
}

/** Reads and writes that were compared, in sectors. */
export interface Compared {
  read: number;
  written: number;
}

/** The requests of one block device, by what its driver has in memory: what they write, and what they are to read. */
export class BlockRequests {
  readonly compared: Compared = { read: 0, written: 0 };
  readonly #drives: ReadonlyMap<string, ShadowedDrive>;
  readonly #requests = new Map<number, Request>();

  constructor(drives: ReadonlyMap<string, ShadowedDrive>) {
    this.#drives = drives;
  }

  popped(memory: GuestMemory, elem: number, element: InFlight): void {
    this.#requests.set(elem, requestOf(gathered(memory, first(element.out, HEADER_BYTES + RANGE_BYTES)), element));
  }

  submitted({ tag, drive }: EventOf<'sim:disk_submitted'>): void {
    const request = this.#requests.get(tag);
    if (request !== undefined) request.drive = drive;
  }

  /** The drive is done, and the bytes are where a request has them: of a write, taken now. */
  completed(memory: GuestMemory, { tag, result }: EventOf<'sim:disk_completed'>): void {
    const request = this.#requests.get(tag);
    const drive = this.#drives.get(request?.drive ?? '');
    if (request === undefined || drive === undefined) return;
    const { op, offset, length, element } = request;
    if (result !== 0) {
      request.isIgnored = op === 'read' ? drive.ignoresReadErrors : drive.ignoresWriteErrors;
      return;
    }
    request.isDone = true;
    if (op === 'write') {
      drive.shadow.write(offset, gathered(memory, element.out).subarray(HEADER_BYTES));
      this.compared.written += length / SECTOR;
    } else if (op === 'write-zeroes' || (op === 'discard' && drive.discards)) drive.shadow.clear(offset, length);
  }

  /** What was read is in memory, and the driver is about to be told. */
  ended(memory: GuestMemory, { req, status }: EventOf<'virtio_blk_req_complete'>, complain: Complain): void {
    const request = this.#requests.get(req);
    if (request === undefined) return;
    request.status = status;
    const { op, isDone, isIgnored, offset, length, element, drive } = request;
    if (op !== 'other' && status === 0 && isDone !== true && isIgnored !== true)
      complain(`request ${req}, a ${op}, is well without a drive`);
    if (op !== 'read' || isDone !== true || status !== 0) return;
    const expected = this.#drives.get(drive!)!.shadow.read(offset, length);
    const wrong = firstDifference(memory, first(element.in, length), expected);
    if (wrong !== undefined) {
      complain(
        `request ${req} read sector ${Math.floor((offset + wrong) / SECTOR)} otherwise than it was last written`,
      );
    }
    this.compared.read += length / SECTOR;
  }

  /** The driver has it back. */
  filled(memory: GuestMemory, elem: number, complain: Complain): void {
    const request = this.#requests.get(elem);
    this.#requests.delete(elem);
    const last = request?.element.in.at(-1);
    if (request?.status === undefined || last === undefined) return;
    const place = { gpa: last.gpa + last.length - 1, length: 1 };
    if (memory.keeps(place) === 0) return;
    const [status] = memory.read(place);
    if (status !== request.status) complain(`request ${elem} has status ${status}, not ${request.status}`);
  }
}

function requestOf(bytes: Uint8Array, element: InFlight): Request {
  const other = { op: 'other', offset: 0, length: 0, element } as const;
  if (bytes.length < HEADER_BYTES) return other;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = (view.getUint32(0, true) & ~TYPE.barrier) >>> 0;
  const data = (segments: readonly Segment[]): number => segments.reduce((sum, { length }) => sum + length, 0);
  const offset = Number(view.getBigUint64(8, true)) * SECTOR;
  if (type === TYPE.in) return { op: 'read', offset, length: data(element.in) - 1, element };
  if (type === TYPE.out) return { op: 'write', offset, length: data(element.out) - HEADER_BYTES, element };
  if ((type !== TYPE.discard && type !== TYPE.writeZeroes) || bytes.length < HEADER_BYTES + RANGE_BYTES) return other;
  const from = Number(view.getBigUint64(HEADER_BYTES, true)) * SECTOR;
  const length = view.getUint32(HEADER_BYTES + 8, true) * SECTOR;
  return { op: type === TYPE.discard ? 'discard' : 'write-zeroes', offset: from, length, element };
}

/** The first so many bytes of several segments. */
function first(segments: readonly Segment[], length: number): Segment[] {
  let left = length;
  return segments.flatMap(({ gpa, length: own }) => {
    const some = Math.min(left, own);
    left -= some;
    return some > 0 ? [{ gpa, length: some }] : [];
  });
}

/** Where memory does not have the bytes that were put there, one segment after the other; a later one lies over. */
function firstDifference(memory: GuestMemory, segments: readonly Segment[], expected: Uint8Array): number | undefined {
  let end = expected.length;
  for (const [at, segment] of [...segments.entries()].reverse()) {
    const begin = end - segment.length;
    const there = memory.read(segment);
    const later = segments.slice(at + 1);
    const isOver = (gpa: number): boolean => later.some((over) => gpa >= over.gpa && gpa < over.gpa + over.length);
    const kept = memory.keeps(segment);
    for (let byte = 0; byte < kept; byte += 1) {
      if (there[byte] !== expected[begin + byte] && !isOver(segment.gpa + byte)) return begin + byte;
    }
    end = begin;
  }
  return undefined;
}
