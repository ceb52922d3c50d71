/** Frames that come. QEMU 7.2, hw/net/rtl8139.c: rtl8139_can_receive, rtl8139_do_receive. */
import { crc32 } from '../../base/crc32.ts';
import type { Effects } from '../device.ts';
import {
  bufferAt,
  CAME,
  CAME_TAG,
  descriptorOf,
  FIRST,
  headerWord,
  LAST,
  type Match,
  MATCH_BIT,
  OWN,
  wordsOf,
} from './descriptors.ts';
import { addressIn, readMemory, RING, writeMemory } from './dma.ts';
import { matchOf } from './filter.ts';
import { driveInterrupt } from './interrupts.ts';
import { CAUSE, CPCR, CR, DESCRIPTOR_BYTES, R } from './registers.ts';
import { hasPlace, layOut, type Piece, room } from './ring.ts';
import { registerOf, type Rtl8139State } from './state.ts';

/** The least of a frame without its check sequence: the controller fills up what is shorter. */
const LEAST = 60;
const TAG_BYTES = 4;
const ADDRESSES = 12;
const TAG_TYPE = 0x8100;
const FCS = 4;

/** What QEMU wants of the ring before it takes a frame: the longest without a tag. */
const ENOUGH = 1514;

const has = (nic: Rtl8139State, register: number, bit: number): boolean => (registerOf(nic, register) & bit) !== 0;

const isReceiving = (nic: Rtl8139State): boolean => has(nic, R.CR, CR.receives);

const isCPlus = (nic: Rtl8139State): boolean => has(nic, R.CPCR, CPCR.receives);

/** A driver may turn the receiver on before it says where its descriptors are. */
const hasRing = (nic: Rtl8139State): boolean => addressIn(nic, RING.received) !== 0;

export function canReceive(nic: Rtl8139State): boolean {
  if (!nic.isClocked || !isReceiving(nic) || (isCPlus(nic) && hasRing(nic))) return true;
  const free = room(nic.ring);
  return free === 0 || free >= ENOUGH || has(nic, R.IMR, CAUSE.overflow);
}

/** A frame as it is stored. */
interface Arrival {
  /** With room for a tag that is taken out: at least 64. */
  readonly bytes: Uint8Array;
  /** Bytes of it that are stored: at least 60. */
  readonly size: number;
  /** Bytes that came. */
  readonly came: number;
  readonly to: Match;
}

function filledUp(frame: Uint8Array): Uint8Array {
  if (frame.length >= LEAST + TAG_BYTES) return frame;
  const bytes = new Uint8Array(LEAST + TAG_BYTES);
  bytes.set(frame);
  return bytes;
}

/** What becomes of a frame: it is lost without being counted, counted as wrong, or goes on. */
type Fate =
  | { readonly why: string; readonly isCounted: boolean }
  | { readonly why: undefined; readonly arrival: Arrival };

function fateOf(nic: Rtl8139State, frame: Uint8Array): Fate {
  if (!nic.isClocked) return { why: 'clock stopped', isCounted: false };
  if (!isReceiving(nic)) return { why: 'receiver off', isCounted: false };
  const bytes = filledUp(frame);
  const to = matchOf(nic, bytes);
  if (to === undefined) return { why: 'for somebody else', isCounted: true };
  return { why: undefined, arrival: { bytes, size: Math.max(LEAST, frame.length), came: frame.length, to } };
}

/** What the chip did with a frame. waits: it has no place for it now. */
export type Received = { readonly end: 'stored' | 'waits' } | { readonly end: 'lost'; readonly why: string };

/** take: the frame is the chip's from now on, whatever becomes of it. It is not called where the frame waits. */
export function receive(nic: Rtl8139State, frame: Uint8Array, effects: Effects, take: () => void): Received {
  const fate = fateOf(nic, frame);
  if (fate.why === undefined && !isCPlus(nic) && !hasPlace(nic.ring, fate.arrival.size)) {
    overrun(nic, fate.arrival, false, effects);
    return { end: 'waits' };
  }
  take();
  if (fate.why !== undefined) {
    if (fate.isCounted) effects.raise({ kind: 'sim:rtl8139_rx_rejected', dev: effects.name });
    return { end: 'lost', why: fate.why };
  }
  const why = isCPlus(nic) ? toDescriptor(nic, fate.arrival, effects) : toRing(nic, fate.arrival, effects);
  return why === undefined ? { end: 'stored' } : { end: 'lost', why };
}

/** There is no place for it. isLost: it does not wait, either. */
function overrun(nic: Rtl8139State, { to }: Arrival, isLost: boolean, effects: Effects): void {
  effects.raise({ kind: 'sim:rtl8139_rx_overrun', dev: effects.name, to, lost: isLost });
  driveInterrupt(nic, effects);
}

const checkSequence = (bytes: Uint8Array): Uint8Array => wordsOf(crc32(bytes));

/** C mode. */
function toRing(nic: Rtl8139State, { bytes, size, to }: Arrival, effects: Effects): undefined {
  const frame = bytes.subarray(0, size);
  const { pieces, end } = layOut(nic, [wordsOf(headerWord(to, size + FCS)), frame, checkSequence(frame)]);
  // In 32 bits, as QEMU has it.
  const placeOf = ({ at }: Piece): number => (registerOf(nic, R.RBSTART) + at) % 2 ** 32;
  const [first] = pieces[1]!;
  const where = { gpa: placeOf(first!), len: first!.bytes.length };
  effects.raise({ kind: 'sim:rtl8139_rx_stored', dev: effects.name, ...where, size, end, to });
  for (const piece of pieces.flat()) writeMemory(nic, effects, placeOf(piece), piece.bytes);
  driveInterrupt(nic, effects);
  return undefined;
}

/** C+ mode: why it is lost. */
function toDescriptor(nic: Rtl8139State, arrival: Arrival, effects: Effects): string | undefined {
  const { bytes, came, to } = arrival;
  if (!hasRing(nic)) {
    effects.raise({ kind: 'sim:rtl8139_rx_unplaced', dev: effects.name, to });
    return 'no ring';
  }
  const index = nic.rxDescriptor;
  const at = addressIn(nic, RING.received) + DESCRIPTOR_BYTES * index;
  const before = descriptorOf(readMemory(nic, effects, at, DESCRIPTOR_BYTES, 'dmaRead'));
  const isUntagged = has(nic, R.CPCR, CPCR.untags) && typeOf(bytes) === TAG_TYPE;
  const size = isUntagged ? Math.max(LEAST, arrival.size - TAG_BYTES) : arrival.size;
  const isOwned = (before.word0 & OWN) !== 0;
  if (!isOwned || size + FCS > (before.word0 & CAME.size)) {
    overrun(nic, arrival, true, effects);
    return isOwned ? 'longer than its buffer' : 'no descriptors';
  }
  const words = {
    word0: filledWord(before.word0, to, size + FCS),
    word1: isUntagged ? taggedWord(before.word1, bytes) : (before.word1 & ~CAME_TAG) >>> 0,
  };
  const gpa = bufferAt(before);
  effects.raise({
    ...({ kind: 'sim:rtl8139_rx_descriptor', dev: effects.name, index } as const),
    ...{ gpa: BigInt(before.high) * 2n ** 32n + BigInt(before.low), len: size + FCS, ...words, to },
  });
  const head = isUntagged ? ADDRESSES : 0;
  const rest = isUntagged ? ADDRESSES + TAG_BYTES : 0;
  if (head > 0) writeMemory(nic, effects, gpa, bytes.subarray(0, head));
  writeMemory(nic, effects, gpa + head, bytes.subarray(rest, rest + size - head));
  // As in QEMU it is that of what came.
  writeMemory(nic, effects, gpa + size, checkSequence(bytes.subarray(0, came)));
  writeMemory(nic, effects, at, wordsOf(words.word0, words.word1));
  driveInterrupt(nic, effects);
  return undefined;
}

const typeOf = (frame: Uint8Array): number => (frame[ADDRESSES]! << 8) | frame[ADDRESSES + 1]!;

const filledWord = (before: number, to: Match, bytes: number): number =>
  ((before & ~(OWN | CAME.size)) | FIRST | LAST | MATCH_BIT[to] | bytes) >>> 0;

/** The tag's bytes are those of the wire. */
const taggedWord = (before: number, frame: Uint8Array): number =>
  ((before & ~0xffff) | CAME_TAG | frame[ADDRESSES + 2]! | (frame[ADDRESSES + 3]! << 8)) >>> 0;
