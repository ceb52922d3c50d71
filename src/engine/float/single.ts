import { add, divide, multiply, squareRoot, subtract } from './arithmetic.ts';
import { type FloatEnvironment, PE, ROUND_NEAREST, SINGLE } from './environment.ts';
import { packSingle, unpackSingle } from './formats.ts';
import { type Encoding, onBits } from './on-bits.ts';

// Reinterprets bits; holds nothing between two calls.
const numbers = new Float32Array(1);
const words = new Uint32Array(numbers.buffer);

const LOW = 2 ** -126;
const HIGH = 2 ** 127;

function numberOf(bits: number): number {
  words[0] = bits;
  return numbers[0]!;
}

function bitsOf(value: number): number {
  numbers[0] = value;
  return words[0]!;
}

/** A normal binary32 number or zero, below 2^127. */
function plain(value: number): boolean {
  const magnitude = Math.abs(value);
  return (magnitude >= LOW && magnitude <= HIGH) || value === 0;
}

const ENCODING: Encoding<number> = { format: SINGLE, numberOf, bitsOf, unpack: unpackSingle, pack: packSingle };

/**
 * x + y as binary32 with PE noted, or NaN where only exact arithmetic will do. Rounding first to binary64 does not
 * change the result; whether it is inexact needs the error of that first rounding.
 */
function fastSingleSum(env: FloatEnvironment, x: number, y: number): number {
  const sum = x + y;
  if (env.rounding !== ROUND_NEAREST || !plain(x) || !plain(y) || !plain(sum)) return NaN;
  const part = sum - x;
  const rounded = Math.fround(sum);
  if (rounded !== sum || x - (sum - part) + (y - part) !== 0) env.raised |= PE;
  return rounded;
}

/** x - y likewise. */
function fastSingleDifference(env: FloatEnvironment, x: number, y: number): number {
  return fastSingleSum(env, x, -y);
}

/** x * y likewise. */
function fastSingleProduct(env: FloatEnvironment, x: number, y: number): number {
  const product = x * y;
  if (env.rounding !== ROUND_NEAREST || !plain(x) || !plain(y) || !plain(product)) return NaN;
  const rounded = Math.fround(product);
  if (rounded !== product) env.raised |= PE;
  return rounded;
}

/** x / y likewise. */
function fastSingleQuotient(env: FloatEnvironment, x: number, y: number): number {
  const quotient = x / y;
  if (env.rounding !== ROUND_NEAREST || y === 0 || !plain(x) || !plain(y) || !plain(quotient)) return NaN;
  const rounded = Math.fround(quotient);
  if (rounded * y !== x) env.raised |= PE;
  return rounded;
}

/** The square root of y likewise (the first operand is not used). */
function fastSingleRoot(env: FloatEnvironment, _x: number, y: number): number {
  if (env.rounding !== ROUND_NEAREST || !(y > 0) || !plain(y)) return NaN;
  const root = Math.fround(Math.sqrt(y));
  if (root * root !== y) env.raised |= PE;
  return root;
}

/** ADDSS, SUBSS, MULSS and DIVSS on bit patterns (unsigned numbers). */
export const singleAdd = onBits(ENCODING, fastSingleSum, add);
export const singleSubtract = onBits(ENCODING, fastSingleDifference, subtract);
export const singleMultiply = onBits(ENCODING, fastSingleProduct, multiply);
export const singleDivide = onBits(ENCODING, fastSingleQuotient, divide);
const root = onBits(ENCODING, fastSingleRoot, (env, _, y) => squareRoot(env, y));

/** SQRTSS on bit patterns. */
export const singleSquareRoot = (env: FloatEnvironment, a: number): number => root(env, a, a);
