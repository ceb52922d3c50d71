import { Problem } from '../../base/problem.ts';
import type { Gpa, Gva, Seq, Tick } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import type { Writer } from '../../engine/index.ts';
import { type GuestView, hvaOf, isPaging, physicalOf, registersOf, walkLinear } from '../../machine/guest-view.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { DebugSession } from '../session.ts';
import type { FieldDifference } from './state-difference.ts';
import { type Bound, type Here, runOn, searchBack } from '../stops/windows.ts';
import { CR4_LA57, EFER_LMA } from '../../x86/registers.ts';
import { PTE_FRAME, PTE_MARKS } from '../../x86/paging.ts';

/** A change of what was asked about, and where in the run it happened. */
export interface Change {
  /** Ticks retired before it: an instruction's own do not count. */
  readonly tick: Tick;
  /** Events raised before it. */
  readonly seq: Seq;
  readonly before: string;
  readonly after: string;
  /** Of the state: each field that changed, the event that did it, and what the guest was about to execute. */
  readonly leaves?: readonly FieldDifference[];
  readonly event?: Stamped;
  readonly rip?: Gva;
}

/** A write to memory: also one that left the bytes as they were. */
export interface MemoryWrite extends Change {
  readonly vcpu: number;
  readonly by: Writer;
}

/** Bytes of host memory that lie together. */
export interface Piece {
  readonly host: number;
  readonly length: number;
}

const PAGE = 4096;

/** Where guest memory lies, in pieces of a page at most. Linear addresses go through the tables as they are here. */
export function piecesOf(
  view: GuestView,
  vcpu: number,
  address: bigint,
  length: number,
  space: 'linear' | 'physical',
): Piece[] {
  const pieces: Piece[] = [];
  for (let done = 0; done < length; ) {
    const at = BigInt.asUintN(64, address + BigInt(done));
    const size = Math.min(length - done, PAGE - Number(at % BigInt(PAGE)));
    const gpa = space === 'physical' ? Number(at) : physicalOf(view, vcpu, at);
    const host = gpa === undefined ? undefined : hvaOf(view, gpa);
    if (host === undefined) throw new Problem(noMemory(view, vcpu, at, gpa, space));
    pieces.push({ host, length: size });
    done += size;
  }
  return pieces;
}

function noMemory(view: GuestView, vcpu: number, at: Gva, gpa: Gpa | undefined, space: string): string {
  const where = `0x${at.toString(16)}`;
  if (gpa !== undefined && space === 'physical') return `There is no memory at ${where}.`;
  if (gpa !== undefined) return `There is no memory at ${where}, physical 0x${gpa.toString(16)}.`;
  const hint = isPaging(registersOf(view, vcpu)) ? ' here: go to where it is, or ask for phys:ADDR.' : '.';
  return `${where} is not mapped${hint}`;
}

/** The paging-structure entries a linear address goes through here, in IA-32e mode. SDM Vol. 3, 4.5. */
export function entriesOf(view: GuestView, vcpu: number, linear: Gva): Piece[] {
  const { cr3, efer } = registersOf(view, vcpu);
  const entries = walkLinear(view, vcpu, linear)?.entries ?? [];
  if ((efer & EFER_LMA) === 0n) return [];
  const top = (registersOf(view, vcpu).cr4 & CR4_LA57) === 0n ? 4 : 5;
  let table = cr3 & PTE_FRAME;
  return entries.flatMap((entry, at) => {
    const index = (linear >> BigInt(3 + 9 * (top - at))) & 0x1ffn;
    const host = hvaOf(view, Number(table + 8n * index));
    table = entry & PTE_FRAME;
    return host === undefined ? [] : [{ host, length: 8 }];
  });
}

/** Whether a write to paging-structure entries changed where they lead or what may be done there. */
export function changesMapping({ before, after }: Change): boolean {
  const [old, now] = [BigInt(before), BigInt(after)];
  for (let shift = 0n; old >> shift !== 0n || now >> shift !== 0n; shift += 64n) {
    const differing = BigInt.asUintN(64, (old ^ now) >> shift);
    // Accessed and dirty bits change nothing about where an address leads.
    if ((differing & ~PTE_MARKS) !== 0n) return true;
  }
  return false;
}

/** The bytes of some pieces, as a little-endian number. */
export function bytesIn({ machine }: GuestView, pieces: readonly Piece[]): string {
  const digits = pieces
    .flatMap(({ host, length }) => [...machine.engine.readHost(host, length)])
    .map((byte) => byte.toString(16).padStart(2, '0'));
  return `0x${digits.reverse().join('')}`;
}

/** Run on and hear of every write to some bytes, whoever makes it and through whatever address. */
function* hearWrites(
  session: DebugSession,
  pieces: readonly Piece[],
  bound: Bound,
  hear: (write: MemoryWrite) => void,
): Work<void> {
  const { view } = session;
  const { machine } = session.run.timeline;
  const stops = machine.engine.stops;
  const pages = [...new Set(pieces.map(({ host }) => Math.floor(host / PAGE)))];
  stops?.follow(pages, (host, bytes, by, ticks) => {
    const touched = pieces.filter((piece) => host < piece.host + piece.length && piece.host < host + bytes.length);
    if (touched.length === 0) return;
    const before = bytesIn(view, pieces);
    const after = written(view, pieces, host, bytes);
    const vcpu = machine.state.schedule.turn;
    hear({ tick: machine.ticks + ticks, seq: machine.seq, vcpu, by, before, after });
  });
  try {
    yield* runOn(session, bound, {});
  } finally {
    stops?.follow([], undefined);
  }
}

/** What the pieces come to once bytes are written. */
function written(view: GuestView, pieces: readonly Piece[], host: number, bytes: Uint8Array): string {
  const digits = pieces.flatMap((piece) => {
    const own = view.machine.engine.readHost(piece.host, piece.length);
    for (let at = 0; at < piece.length; at += 1) {
      const from = piece.host + at - host;
      if (from >= 0 && from < bytes.length) own[at] = bytes[from] as number;
    }
    return Array.from(own, (byte) => byte.toString(16).padStart(2, '0'));
  });
  return `0x${digits.reverse().join('')}`;
}

/** Whether a write lies before a place. */
const isBefore = ({ tick, seq, by }: MemoryWrite, here: Here): boolean =>
  by === 'outside' ? seq < here.seq || (seq === here.seq && tick < here.tick) : tick < here.tick;

/** The last write before a place that is meant, not looking before a tick. The session is elsewhere afterwards. */
export function* lastWrite(
  session: DebugSession,
  pieces: readonly Piece[],
  here: Here,
  isMeant: (write: MemoryWrite) => boolean = () => true,
  least = 0,
): Work<MemoryWrite | undefined> {
  return yield* searchBack(session, here, least, function* (bound) {
    let last: MemoryWrite | undefined;
    yield* hearWrites(session, pieces, bound, (write) => {
      if (isBefore(write, here) && isMeant(write)) last = write;
    });
    return last;
  });
}

/** Hear of every write of the run, oldest first. The session is elsewhere afterwards. */
export function* hearAllWrites(
  session: DebugSession,
  pieces: readonly Piece[],
  hear: (write: MemoryWrite) => void,
): Work<void> {
  yield* session.standing(0);
  yield* hearWrites(session, pieces, { tick: Number.POSITIVE_INFINITY, seq: Number.POSITIVE_INFINITY }, hear);
}
