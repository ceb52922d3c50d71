import { add, divide, multiply, squareRoot, subtract } from './arithmetic.ts';
import { DOUBLE, type FloatEnvironment, PE, ROUND_NEAREST } from './environment.ts';
import { packDouble, unpackDouble } from './formats.ts';
import { type Encoding, onBits } from './on-bits.ts';

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
  return numbers[0]!;
}

function bitsOf(value: number): bigint {
  numbers[0] = value;
  return words[0]!;
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

const ENCODING: Encoding<bigint> = { format: DOUBLE, numberOf, bitsOf, unpack: unpackDouble, pack: packDouble };

/** x + y with PE noted, or NaN where only exact arithmetic will do. */
function fastSum(env: FloatEnvironment, x: number, y: number): number {
  const sum = x + y;
  if (env.rounding !== ROUND_NEAREST || !between(sum, SUM_LOW, SUM_HIGH)) return NaN;
  if (!between(x, SUM_LOW, SUM_HIGH) || !between(y, SUM_LOW, SUM_HIGH)) return NaN;
  if ((env.known & PE) !== 0) return sum;
  const part = sum - x;
  if (x - (sum - part) + (y - part) !== 0) env.raised |= PE;
  return sum;
}

/** x - y likewise. */
function fastDifference(env: FloatEnvironment, x: number, y: number): number {
  return fastSum(env, x, -y);
}

/** x * y likewise. */
function fastProduct(env: FloatEnvironment, x: number, y: number): number {
  if (env.rounding !== ROUND_NEAREST) return NaN;
  if (!between(x, PRODUCT_LOW, PRODUCT_HIGH) || !between(y, PRODUCT_LOW, PRODUCT_HIGH)) return NaN;
  const product = x * y;
  if ((env.known & PE) === 0 && productError(x, y, product) !== 0) env.raised |= PE;
  return product;
}

/** x / y likewise. */
function fastQuotient(env: FloatEnvironment, x: number, y: number): number {
  if (env.rounding !== ROUND_NEAREST || y === 0) return NaN;
  if (!between(x, PRODUCT_LOW, PRODUCT_HIGH) || !between(y, PRODUCT_LOW, PRODUCT_HIGH)) return NaN;
  const quotient = x / y;
  if ((env.known & PE) !== 0) return quotient;
  const back = quotient * y;
  if (back !== x || productError(quotient, y, back) !== 0) env.raised |= PE;
  return quotient;
}

/** The square root of y likewise (the first operand is not used). */
function fastRoot(env: FloatEnvironment, _x: number, y: number): number {
  if (env.rounding !== ROUND_NEAREST || !(y > 0) || !between(y, PRODUCT_LOW, PRODUCT_HIGH)) return NaN;
  const root = Math.sqrt(y);
  if ((env.known & PE) !== 0) return root;
  const back = root * root;
  if (back !== y || productError(root, root, back) !== 0) env.raised |= PE;
  return root;
}

/** ADDSD, SUBSD, MULSD and DIVSD on bit patterns. */
export const doubleAdd = onBits(ENCODING, fastSum, add);
export const doubleSubtract = onBits(ENCODING, fastDifference, subtract);
export const doubleMultiply = onBits(ENCODING, fastProduct, multiply);
export const doubleDivide = onBits(ENCODING, fastQuotient, divide);
const root = onBits(ENCODING, fastRoot, (env, _, y) => squareRoot(env, y));

/** SQRTSD on bit patterns. */
export const doubleSquareRoot = (env: FloatEnvironment, a: bigint): bigint => root(env, a, a);
