import { add, divide, multiply, squareRoot, subtract } from './arithmetic.ts';
import { DOUBLE, type FloatEnvironment, PE, ROUND_NEAREST } from './environment.ts';
import { packDouble, unpackDouble } from './formats.ts';
import type { Unpacked } from './unpacked.ts';

// Reinterprets bits; holds nothing between two calls.
const numbers = new Float64Array(1);
const words = new BigUint64Array(numbers.buffer);

const SUM_LOW = 2 ** -960;
const SUM_HIGH = 2 ** 1000;
const PRODUCT_LOW = 2 ** -450;
const PRODUCT_HIGH = 2 ** 450;
const SPLITTER = 2 ** 27 + 1;

function numberOf(bits: bigint): number {
  words[0] = bits;
  return numbers[0];
}

function bitsOf(value: number): bigint {
  numbers[0] = value;
  return words[0];
}

function between(value: number, low: number, high: number): boolean {
  const magnitude = Math.abs(value);
  return (magnitude >= low && magnitude <= high) || value === 0;
}

/** What x * y lost when it was rounded to product (Dekker); all far from over- and underflow. */
function productError(x: number, y: number, product: number): number {
  const cx = SPLITTER * x;
  const xHigh = cx - (cx - x);
  const xLow = x - xHigh;
  const cy = SPLITTER * y;
  const yHigh = cy - (cy - y);
  const yLow = y - yHigh;
  return xHigh * yHigh - product + xHigh * yLow + xLow * yHigh + xLow * yLow;
}

type Exact = (env: FloatEnvironment, a: Unpacked, b: Unpacked) => Unpacked;

function exactly(env: FloatEnvironment, operation: Exact, a: bigint, b: bigint): bigint {
  env.format = DOUBLE;
  const daz = env.denormalsAreZero;
  return packDouble(operation(env, unpackDouble(a, daz), unpackDouble(b, daz)));
}

function fastSum(env: FloatEnvironment, x: number, y: number): boolean {
  const sum = x + y;
  if (!between(x, SUM_LOW, SUM_HIGH) || !between(y, SUM_LOW, SUM_HIGH) || !between(sum, SUM_LOW, SUM_HIGH)) return false;
  if ((env.known & PE) !== 0) return true;
  const part = sum - x;
  if (x - (sum - part) + (y - part) !== 0) env.raised |= PE;
  return true;
}

/** ADDSD on bit patterns. */
export function doubleAdd(env: FloatEnvironment, a: bigint, b: bigint): bigint {
  if (env.rounding === ROUND_NEAREST) {
    const x = numberOf(a);
    const y = numberOf(b);
    if (fastSum(env, x, y)) return bitsOf(x + y);
  }
  return exactly(env, add, a, b);
}

/** SUBSD on bit patterns. */
export function doubleSubtract(env: FloatEnvironment, a: bigint, b: bigint): bigint {
  if (env.rounding === ROUND_NEAREST) {
    const x = numberOf(a);
    const y = numberOf(b);
    if (fastSum(env, x, -y)) return bitsOf(x - y);
  }
  return exactly(env, subtract, a, b);
}

/** MULSD on bit patterns. */
export function doubleMultiply(env: FloatEnvironment, a: bigint, b: bigint): bigint {
  if (env.rounding === ROUND_NEAREST) {
    const x = numberOf(a);
    const y = numberOf(b);
    if (between(x, PRODUCT_LOW, PRODUCT_HIGH) && between(y, PRODUCT_LOW, PRODUCT_HIGH)) {
      const product = x * y;
      if ((env.known & PE) === 0 && productError(x, y, product) !== 0) env.raised |= PE;
      return bitsOf(product);
    }
  }
  return exactly(env, multiply, a, b);
}

/** DIVSD on bit patterns. */
export function doubleDivide(env: FloatEnvironment, a: bigint, b: bigint): bigint {
  if (env.rounding === ROUND_NEAREST) {
    const x = numberOf(a);
    const y = numberOf(b);
    if (y !== 0 && between(x, PRODUCT_LOW, PRODUCT_HIGH) && between(y, PRODUCT_LOW, PRODUCT_HIGH)) {
      const quotient = x / y;
      if ((env.known & PE) === 0) {
        const back = quotient * y;
        if (back !== x || productError(quotient, y, back) !== 0) env.raised |= PE;
      }
      return bitsOf(quotient);
    }
  }
  return exactly(env, divide, a, b);
}

/** SQRTSD on bit patterns. */
export function doubleSquareRoot(env: FloatEnvironment, a: bigint): bigint {
  if (env.rounding === ROUND_NEAREST) {
    const x = numberOf(a);
    if (x > 0 && between(x, PRODUCT_LOW, PRODUCT_HIGH)) {
      const root = Math.sqrt(x);
      if ((env.known & PE) === 0) {
        const back = root * root;
        if (back !== x || productError(root, root, back) !== 0) env.raised |= PE;
      }
      return bitsOf(root);
    }
  }
  env.format = DOUBLE;
  return packDouble(squareRoot(env, unpackDouble(a, env.denormalsAreZero)));
}
