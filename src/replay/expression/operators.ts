import { type Place, refuse } from './source.ts';

/** What an expression can come to: a number, text, or nothing where an event does not have the field. */
export type Value = bigint | string | undefined;

export const bit = (is: boolean): bigint => (is ? 1n : 0n);

/** Whether a value counts as true: not 0, not empty, and there at all. */
export const isTrue = (value: Value): boolean => value !== 0n && value !== '' && value !== undefined;

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

/** What a binary operator comes to. Numbers are unsigned, but that a negative one compares both as signed. */
export function apply(operator: string, left: Value, right: Value, place: Place): Value {
  if (left === undefined || right === undefined) return undefined;
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

function isSame(left: bigint | string, right: bigint | string): boolean {
  return typeof left === 'bigint' && typeof right === 'bigint' ? unsigned(left) === unsigned(right) : left === right;
}
