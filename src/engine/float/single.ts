import { add, divide, multiply, squareRoot, subtract } from './arithmetic.ts';
import { type FloatEnvironment, PE, ROUND_NEAREST, SINGLE } from './environment.ts';
import { packSingle, unpackSingle } from './formats.ts';
import type { Unpacked } from './unpacked.ts';

// Reinterprets bits; holds nothing between two calls.
const numbers = new Float32Array(1);
const words = new Uint32Array(numbers.buffer);

const LOW = 2 ** -126;
const HIGH = 2 ** 127;

function numberOf(bits: number): number {
  words[0] = bits;
  return numbers[0];
}

function bitsOf(value: number): number {
  numbers[0] = value;
  return words[0];
}

/** A normal binary32 number or zero, below 2^127. */
function plain(value: number): boolean {
  const magnitude = Math.abs(value);
  return (magnitude >= LOW && magnitude <= HIGH) || value === 0;
}

type Exact = (env: FloatEnvironment, a: Unpacked, b: Unpacked) => Unpacked;

function exactly(env: FloatEnvironment, operation: Exact, a: number, b: number): number {
  env.format = SINGLE;
  const daz = env.denormalsAreZero;
  return packSingle(operation(env, unpackSingle(a, daz), unpackSingle(b, daz)));
}

/** Rounding a sum first to binary64 does not change it; whether it is inexact needs the error of that first rounding. */
function fastSum(env: FloatEnvironment, x: number, y: number): boolean {
  const sum = x + y;
  if (!plain(x) || !plain(y) || !plain(sum)) return false;
  const part = sum - x;
  if (Math.fround(sum) !== sum || x - (sum - part) + (y - part) !== 0) env.raised |= PE;
  return true;
}

/** ADDSS on bit patterns (unsigned numbers). */
export function singleAdd(env: FloatEnvironment, a: number, b: number): number {
  if (env.rounding === ROUND_NEAREST) {
    const x = numberOf(a);
    const y = numberOf(b);
    if (fastSum(env, x, y)) return bitsOf(x + y);
  }
  return exactly(env, add, a, b);
}

/** SUBSS on bit patterns. */
export function singleSubtract(env: FloatEnvironment, a: number, b: number): number {
  if (env.rounding === ROUND_NEAREST) {
    const x = numberOf(a);
    const y = numberOf(b);
    if (fastSum(env, x, -y)) return bitsOf(x - y);
  }
  return exactly(env, subtract, a, b);
}

/** MULSS on bit patterns. */
export function singleMultiply(env: FloatEnvironment, a: number, b: number): number {
  if (env.rounding === ROUND_NEAREST) {
    const x = numberOf(a);
    const y = numberOf(b);
    const product = x * y;
    if (plain(x) && plain(y) && plain(product)) {
      if (Math.fround(product) !== product) env.raised |= PE;
      return bitsOf(product);
    }
  }
  return exactly(env, multiply, a, b);
}

/** DIVSS on bit patterns. */
export function singleDivide(env: FloatEnvironment, a: number, b: number): number {
  if (env.rounding === ROUND_NEAREST) {
    const x = numberOf(a);
    const y = numberOf(b);
    const quotient = x / y;
    if (y !== 0 && plain(x) && plain(y) && plain(quotient)) {
      const rounded = Math.fround(quotient);
      if (rounded * y !== x) env.raised |= PE;
      return bitsOf(rounded);
    }
  }
  return exactly(env, divide, a, b);
}

/** SQRTSS on bit patterns. */
export function singleSquareRoot(env: FloatEnvironment, a: number): number {
  if (env.rounding === ROUND_NEAREST) {
    const x = numberOf(a);
    if (x > 0 && plain(x)) {
      const root = Math.fround(Math.sqrt(x));
      if (root * root !== x) env.raised |= PE;
      return bitsOf(root);
    }
  }
  env.format = SINGLE;
  return packSingle(squareRoot(env, unpackSingle(a, env.denormalsAreZero)));
}
