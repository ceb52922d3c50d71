import type { ByteReader } from '../../base/byte-reader.ts';
import { type ByteWriter, reserve, unzigzag, writeVarint, zigzag } from './bytes.ts';
import { contradiction } from './contradiction.ts';

/**
 * A column of integers starts with a tag that says how they are packed: all equal, varints above the least, zigzag
 * differences of neighbours, or only those that do not follow from the ones before.
 */
const CONSTANT = 0;
const ABOVE_MINIMUM = 1;
const DIFFERENCES = 2;
const IN_CONTEXT = 3;
const EXACT_DIFFERENCE = 2 ** 51;

/** Fewer are not worth a guess. */
const FEW = 8;

/**
 * What followed the same values last time: after a dozen, where those were seen, else after two. Values are told by
 * numbers made of them, pages of guesses are a column's own.
 */
const MOST_CONTEXTS = 4096;
const AFTER_MANY = new Float64Array(MOST_CONTEXTS);
const AFTER_TWO = new Float64Array(MOST_CONTEXTS);
const NOT_SEEN = Number.NaN;
const MANY_SHIFT = 1;
const TWO_SHIFT = 6;
const GOLDEN_RATIO = 0x9e37_79b1;

/** Twelve bits of a value. Older values are shifted out of a context number. */
const mixed = (value: number): number => Math.imul(value | 0, GOLDEN_RATIO) >>> 20;

/** Contexts of a column of `count`, less one: a power of two that is not below it. */
function contextMask(count: number): number {
  let contexts = 1;
  while (contexts < count && contexts < MOST_CONTEXTS) contexts *= 2;
  AFTER_MANY.fill(NOT_SEEN, 0, contexts);
  AFTER_TWO.fill(0, 0, contexts);
  return contexts - 1;
}

/** The values that were not guessed, and of each how many before it were. */
interface Misses {
  hits: Float64Array;
  values: Float64Array;
}

const MISSES: Misses = { hits: new Float64Array(0), values: new Float64Array(0) };

function roomFor(count: number): Misses {
  if (MISSES.hits.length < count) {
    MISSES.hits = new Float64Array(count);
    MISSES.values = new Float64Array(count);
  }
  return MISSES;
}

/** Pack a column in which all are `value`. */
export function writeConstant(out: ByteWriter, value: number): void {
  writeVarint(out, CONSTANT);
  writeSigned(out, value);
}

/** Pack integers -(2^52)..2^53-1. */
export function writeIntegers(out: ByteWriter, values: Float64Array, count: number): void {
  pack(out, values, count, count >= FEW);
}

/** All the same: nothing is smaller. */
export function isOne(values: Float64Array, count: number): boolean {
  for (let i = 1; i < count; i += 1) if (values[i] !== values[0]) return false;
  return true;
}

/** A value takes a byte at least, one that was not guessed ten at most: with so few the rest need not be looked at. */
function pack(out: ByteWriter, values: Float64Array, count: number, mayGuess: boolean): void {
  if (isOne(values, count)) {
    writeConstant(out, values[0]!);
    return;
  }
  const missed = mayGuess ? guess(values, count) : count;
  if (10 * missed < count) {
    writeMisses(out, missed);
    return;
  }
  let minimum = values[0]!;
  let maximum = minimum;
  let turns = 0;
  for (let i = 1; i < count; i += 1) {
    const value = values[i]!;
    turns += Math.abs(value - values[i - 1]!);
    if (value < minimum) minimum = value;
    else if (value > maximum) maximum = value;
  }
  // A column that mostly climbs is smaller as differences, which must stay exact.
  const range = maximum - minimum;
  const climbing = range < EXACT_DIFFERENCE && (turns / count) * 8 < range;
  if (missed < count && isWorthIt(values, count, missed, climbing, minimum)) {
    writeMisses(out, missed);
    return;
  }
  writeVarint(out, climbing ? DIFFERENCES : ABOVE_MINIMUM);
  writeSigned(out, climbing ? values[0]! : minimum);
  if (climbing) writeDifferences(out, values, count);
  else writeAbove(out, values, count, minimum);
}

/** Whether what was not guessed takes less than all. */
function isWorthIt(values: Float64Array, count: number, missed: number, climbing: boolean, minimum: number): boolean {
  const all = climbing ? sizeOfDifferences(values, count) : sizeAbove(values, count, minimum);
  return missed + sizeAbove(MISSES.values, missed, minimum) < all;
}

/** Fill `MISSES` with what does not follow from the values before. Returns how many do not. */
function guess(values: Float64Array, count: number): number {
  const room = roomFor(count);
  const mask = contextMask(count);
  let many = 0;
  let two = 0;
  let missed = 0;
  let hits = 0;
  for (let i = 0; i < count; i += 1) {
    const value = values[i]!;
    const seen = AFTER_MANY[many]!;
    if (value === (Number.isNaN(seen) ? AFTER_TWO[two]! : seen)) hits += 1;
    else {
      room.hits[missed] = hits;
      room.values[missed] = value;
      missed += 1;
      hits = 0;
    }
    AFTER_MANY[many] = value;
    AFTER_TWO[two] = value;
    const mix = mixed(value);
    many = ((many << MANY_SHIFT) ^ mix) & mask;
    two = ((two << TWO_SHIFT) ^ mix) & mask;
  }
  return missed;
}

function writeMisses(out: ByteWriter, missed: number): void {
  writeVarint(out, IN_CONTEXT);
  writeVarint(out, missed);
  pack(out, MISSES.hits, missed, false);
  pack(out, MISSES.values, missed, false);
}

const SEVEN_BITS = 2 ** 7;
const FOURTEEN_BITS = 2 ** 14;

/** Bytes of a varint, near enough to choose by. */
function sizeOf(value: number): number {
  if (value < SEVEN_BITS) return 1;
  if (value < FOURTEEN_BITS) return 2;
  if (value < 2 ** 28) return value < 2 ** 21 ? 3 : 4;
  if (value < 2 ** 42) return value < 2 ** 35 ? 5 : 6;
  return value < 2 ** 49 ? 7 : 8;
}

function sizeAbove(values: Float64Array, count: number, minimum: number): number {
  let size = 0;
  for (let i = 0; i < count; i += 1) size += sizeOf(values[i]! - minimum);
  return size;
}

function sizeOfDifferences(values: Float64Array, count: number): number {
  let size = 0;
  for (let i = 1; i < count; i += 1) size += sizeOf(zigzag(values[i]! - values[i - 1]!));
  return size;
}

function writeAbove(out: ByteWriter, values: Float64Array, count: number, minimum: number): void {
  reserve(out, count * 8);
  const { bytes } = out;
  for (let i = 0; i < count; i += 1) {
    const value = values[i]! - minimum;
    if (value < 0x80) bytes[out.length++] = value;
    else writeVarint(out, value);
  }
}

function writeDifferences(out: ByteWriter, values: Float64Array, count: number): void {
  reserve(out, count * 8);
  const { bytes } = out;
  for (let i = 1; i < count; i += 1) {
    const value = zigzag(values[i]! - values[i - 1]!);
    if (value < 0x80) bytes[out.length++] = value;
    else writeVarint(out, value);
  }
}

/** A sign byte, then the magnitude: exact over the whole range, unlike zigzag. */
function writeSigned(out: ByteWriter, value: number): void {
  writeVarint(out, value < 0 ? 1 : 0);
  writeVarint(out, Math.abs(value));
}

function readSigned(input: ByteReader): number {
  const negative = input.varint() === 1;
  const magnitude = input.varint();
  return negative ? -magnitude : magnitude;
}

/** Integers of a column: of all equal ones a single one. */
export interface Numbers {
  readonly isConstant: boolean;
  readonly values: Float64Array;
}

/** What `writeIntegers` packed after its tag, which has been read. */
export function readNumbers(input: ByteReader, tag: number, count: number): Numbers {
  if (tag === CONSTANT) return { isConstant: true, values: Float64Array.of(readSigned(input)) };
  const values = new Float64Array(count);
  unpack(input, tag, values, count);
  return { isConstant: false, values };
}

/** Unpack what `writeIntegers` packed into `values[0..count)`. */
export function readIntegers(input: ByteReader, values: Float64Array, count: number): void {
  const tag = input.varint();
  if (tag === CONSTANT) values.fill(readSigned(input), 0, count);
  else unpack(input, tag, values, count);
}

function unpack(input: ByteReader, tag: number, values: Float64Array, count: number): void {
  if (tag === IN_CONTEXT) {
    readInContext(input, values, count);
    return;
  }
  if (tag !== DIFFERENCES && tag !== ABOVE_MINIMUM) throw contradiction('numbers in a packing that there is not');
  const first = readSigned(input);
  if (tag === DIFFERENCES) {
    values[0] = first;
    for (let i = 1; i < count; i += 1) values[i] = values[i - 1]! + unzigzag(input.varint());
  } else {
    for (let i = 0; i < count; i += 1) values[i] = first + input.varint();
  }
}

function readInContext(input: ByteReader, values: Float64Array, count: number): void {
  const missed = input.varint();
  if (missed === 0 || missed > count) throw contradiction('more numbers than it says');
  const hits = readUnguessed(input, missed);
  const told = readUnguessed(input, missed);
  const mask = contextMask(count);
  let many = 0;
  let two = 0;
  let miss = 0;
  let next = hits[0]!;
  for (let at = 0; at < count; at += 1) {
    let value: number;
    if (at === next) {
      value = told[miss]!;
      miss += 1;
      next = miss < missed ? at + 1 + hits[miss]! : count;
      if (!(next > at)) throw contradiction('more numbers than it says');
    } else {
      const seen = AFTER_MANY[many]!;
      value = Number.isNaN(seen) ? AFTER_TWO[two]! : seen;
    }
    values[at] = value;
    AFTER_MANY[many] = value;
    AFTER_TWO[two] = value;
    const mix = mixed(value);
    const nextMany = ((many << MANY_SHIFT) ^ mix) & mask;
    const nextTwo = ((two << TWO_SHIFT) ^ mix) & mask;
    if (nextMany === many && nextTwo === two && next > at + 1) {
      // And so on.
      const until = Math.min(next, count);
      values.fill(value, at + 1, until);
      at = until - 1;
    }
    many = nextMany;
    two = nextTwo;
  }
  if (miss < missed) throw contradiction('more numbers than it says');
}

/** Integers that nothing is guessed of: packings do not nest deeper. */
function readUnguessed(input: ByteReader, count: number): Float64Array {
  const values = new Float64Array(count);
  const tag = input.varint();
  if (tag === IN_CONTEXT) throw contradiction('numbers in a packing that there is not');
  if (tag === CONSTANT) values.fill(readSigned(input));
  else unpack(input, tag, values, count);
  return values;
}
