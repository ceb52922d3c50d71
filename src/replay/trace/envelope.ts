import type { ByteReader } from '../../base/byte-reader.ts';
import type { Seq } from '../../base/units.ts';
import { type ByteWriter, writeVarint } from './bytes.ts';
import { readIntegers, writeIntegers } from './integers.ts';
import type { Teller } from './told.ts';

/** The envelope columns of a batch, in the order of its events. Links are sequence numbers; NO_EVENT: there is none. */
export interface Envelope {
  readonly seqs: Float64Array;
  readonly ticks: Float64Array;
  readonly sources: Float64Array;
  readonly withins: Float64Array;
  readonly causes: Float64Array;
}

/** How a format version lays its envelope out; `order` lists the events' places kind by kind. */
export type ReadEnvelope = (input: ByteReader, order: Uint32Array) => Envelope;

/** How a format version lays a chunk of events out. */
export interface Layout {
  readonly readEnvelope: ReadEnvelope;
  /** Whether each kind's columns say how many events of it there are; else kinds are listed first. */
  readonly hasCounts: boolean;
  /** Whether bytes that are few are packed as numbers. */
  readonly hasShortBytes: boolean;
}

export const NO_EVENT = -1;

/** What links mostly are; beyond these a number is a distance, which begins at 1. */
const NONE = 0;
const AS_BEFORE = 1;
const THE_ONE_BEFORE = 2;
const WITHIN_DISTANCE = 2;
const AS_WITHIN = 1;
const CAUSE_DISTANCE = 1;

/** The envelope's columns of a batch as they are packed, in the order of its events. */
type Codes = Readonly<Record<'gaps' | 'ticks' | 'sources' | 'withins' | 'causes', Float64Array>>;

/** Codes of the events from one place up to another. Of what is before the first no code tells. */
function codesOf({ seqs, ticks, sources, withins, causes }: Envelope, from: number, to: number): Codes {
  const count = to - from;
  const codes = {
    gaps: new Float64Array(count),
    ticks: new Float64Array(count),
    sources: sources.subarray(from, to),
    withins: new Float64Array(count),
    causes: new Float64Array(count),
  };
  codes.gaps[0] = 1;
  for (let i = 0; i < count; i += 1) {
    const at = from + i;
    const [seq, within] = [seqs[at]!, withins[at]!];
    if (i > 0) {
      codes.gaps[i] = seq - seqs[at - 1]!;
      codes.ticks[i] = ticks[at]! - ticks[at - 1]!;
    }
    codes.withins[i] = i > 0 ? withinCode(seq, within, seqs[at - 1]!, withins[at - 1]!) : firstWithinCode(seq, within);
    codes.causes[i] = causeCode(seq, causes[at]!, within);
  }
  return codes;
}

/**
 * Append the envelope: sequence numbers as gaps, then the other columns kind by kind, where neighbours are alike.
 * Ticks are gaps to the event before; `within` is told by that event where it can be, `cause` by `within`. Returns
 * the gaps of ticks, which fields may repeat.
 */
export function writeEnvelope(out: ByteWriter, links: Envelope, from: number, to: number, order: Uint32Array): Teller {
  const count = to - from;
  const { gaps, ticks, sources, withins, causes } = codesOf(links, from, to);
  const values = new Float64Array(count);
  writeVarint(out, links.seqs[from]!);
  writeIntegers(out, gaps, count);
  writeVarint(out, links.ticks[from]!);
  for (const column of [ticks, sources, withins, causes]) {
    for (let at = 0; at < count; at += 1) values[at] = column[order[at]!]!;
    writeIntegers(out, values, count);
  }
  return { events: inTurn(count), numbers: { isConstant: false, values: ticks } };
}

/** Places from the first to the last. */
function inTurn(count: number): Uint32Array {
  const places = new Uint32Array(count);
  for (let i = 1; i < count; i += 1) places[i] = i;
  return places;
}

/** The ticks since the event before, which fields may repeat. */
export function gapsOf(ticks: Float64Array): Teller {
  const { length } = ticks;
  const values = new Float64Array(length);
  for (let i = 1; i < length; i += 1) values[i] = ticks[i]! - ticks[i - 1]!;
  return { events: inTurn(length), numbers: { isConstant: false, values } };
}

const firstWithinCode = (seq: Seq, within: number): number =>
  within === NO_EVENT ? NONE : seq - within + WITHIN_DISTANCE;

/** `before`: the event before, and what that happened within. */
function withinCode(seq: Seq, within: number, before: Seq, beforeWithin: number): number {
  if (within === NO_EVENT) return NONE;
  if (beforeWithin === within) return AS_BEFORE;
  return before === within ? THE_ONE_BEFORE : seq - within + WITHIN_DISTANCE;
}

function causeCode(seq: Seq, cause: number, within: number): number {
  if (cause === NO_EVENT) return NONE;
  return cause === within ? AS_WITHIN : seq - cause + CAUSE_DISTANCE;
}

/** What `writeEnvelope` appended. */
export function readEnvelope(input: ByteReader, order: Uint32Array): Envelope {
  const count = order.length;
  const seqs = summed(input, count);
  const firstTick = input.varint();
  const ticks = scattered(input, order);
  ticks[0] = firstTick;
  for (let i = 1; i < count; i += 1) ticks[i]! += ticks[i - 1]!;
  const sources = scattered(input, order);
  const withins = scattered(input, order);
  const causes = scattered(input, order);
  for (let i = 0; i < count; i += 1) {
    withins[i] = withinOf(withins[i]!, i, seqs, withins);
    causes[i] = causeOf(causes[i]!, seqs[i]!, withins[i]!);
  }
  return { seqs, ticks, sources, withins, causes };
}

function withinOf(code: number, i: number, seqs: Float64Array, withins: Float64Array): number {
  if (code === NONE) return NO_EVENT;
  if (code === AS_BEFORE) return withins[i - 1]!;
  return code === THE_ONE_BEFORE ? seqs[i - 1]! : seqs[i]! - (code - WITHIN_DISTANCE);
}

function causeOf(code: number, seq: Seq, within: Seq): number {
  if (code === NONE) return NO_EVENT;
  return code === AS_WITHIN ? within : seq - (code - CAUSE_DISTANCE);
}

/** A column written kind by kind, back in the order of the events. */
function scattered(input: ByteReader, order: Uint32Array): Float64Array {
  const byKind = new Float64Array(order.length);
  const values = new Float64Array(order.length);
  readIntegers(input, byKind, order.length);
  for (let at = 0; at < order.length; at += 1) values[order[at]!] = byKind[at]!;
  return values;
}

/** A first value, then a column of gaps. */
function summed(input: ByteReader, count: number): Float64Array {
  const values = new Float64Array(count);
  const first = input.varint();
  readIntegers(input, values, count);
  values[0] = first;
  for (let i = 1; i < count; i += 1) values[i]! += values[i - 1]!;
  return values;
}

/** The envelope of format 1: columns in the order of the events, and one link, to what an event happened within. */
export function readFirstEnvelope(input: ByteReader, order: Uint32Array): Envelope {
  const count = order.length;
  const seqs = summed(input, count);
  const ticks = summed(input, count);
  const sources = new Float64Array(count);
  const withins = new Float64Array(count);
  readIntegers(input, sources, count);
  readIntegers(input, withins, count);
  for (let i = 0; i < count; i += 1) withins[i] = withins[i] === NONE ? NO_EVENT : seqs[i]! - withins[i]!;
  return { seqs, ticks, sources, withins, causes: withins };
}
