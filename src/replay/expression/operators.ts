import { type Place, refuse } from './source.ts';

/** A number or text. */
export type One = bigint | string;

/**
 * What an expression can come to: a number, text, or nothing where an event does not have the field. A packet may have
 * several values of a field.
 */
export type Value = One | readonly One[] | undefined;

export const bit = (is: boolean): bigint => (is ? 1n : 0n);

/** Whether a value counts as true: not 0, not empty, and there at all. */
export const isTrue = (value: Value): boolean =>
  isSeveral(value) ? value.some(isTrue) : value !== 0n && value !== '' && value !== undefined;

export const isSeveral = (value: Value): value is readonly One[] => Array.isArray(value);

const WORD = 64;
const unsigned = (value: bigint): bigint => BigInt.asUintN(WORD, value);

/** Arithmetic of unsigned 64-bit numbers. */
const ARITHMETIC: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '&': (a, b) => a & b,
  '<<': (a, b) => (b >= WORD ? 0n : unsigned(a << b)),
  '>>': (a, b) => (b >= WORD ? 0n : a >> b),
  '+': (a, b) => unsigned(a + b),
  '-': (a, b) => unsigned(a - b),
  '*': (a, b) => unsigned(a * b),
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

const ORDER: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/**
 * What a binary operator comes to. Numbers are unsigned, but that a negative one compares both as signed. Of several
 * values one has to compare so; but all of them for `!=`, as Wireshark has it.
 */
export function apply(operator: string, left: Value, right: Value, place: Place): Value {
  if (left === undefined || right === undefined) return undefined;
  if (!isSeveral(left) && !isSeveral(right)) return applyOne(operator, left, right, place);
  const [lefts, rights] = [left, right].map((value) => (isSeveral(value) ? value : [value]));
  if (operator === '!=') return bit(lefts!.every((one) => rights!.every((other) => !isSame(one, other))));
  const all = lefts!.flatMap((one) => rights!.map((other) => applyOne(operator, one, other, place)));
  return COMPARISONS.includes(operator) ? bit(all.some(isTrue)) : all;
}

const COMPARISONS: readonly string[] = ['==', '<', '<=', '>', '>='];

function applyOne(operator: string, left: One, right: One, place: Place): One {
  if (operator === '==') return bit(isSame(left, right));
  if (operator === '!=') return bit(!isSame(left, right));
  if (typeof left === 'string' || typeof right === 'string') {
    return refuse(place, `'${typeof left === 'string' ? left : String(right)}' is text and no number.`);
  }
  const order = ORDER[operator];
  if (order !== undefined) {
    const isSigned = left < 0n || right < 0n;
    return bit(isSigned ? order(BigInt.asIntN(WORD, left), BigInt.asIntN(WORD, right)) : order(left, right));
  }
  if (right === 0n && (operator === '/' || operator === '%')) return refuse(place, 'It divides by zero.');
  return ARITHMETIC[operator]!(unsigned(left), unsigned(right));
}

function isSame(left: One, right: One): boolean {
  return typeof left === 'bigint' && typeof right === 'bigint' ? unsigned(left) === unsigned(right) : left === right;
}
