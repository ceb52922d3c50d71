import { DE, EXTENDED, type FloatEnvironment, PE, UE, ZE } from './environment.ts';
import { round } from './round.ts';
import { FRACTION, LN2, ONE, arctangentSeries, exponentialSeries } from './series.ts';
import {
  DENORMAL,
  INFINITE,
  NORMAL,
  QUIET,
  type Unpacked,
  ZERO,
  finite,
  infinity,
  invalid,
  propagate,
  propagateOne,
  withSign,
  zero,
} from './unpacked.ts';

const HALF = 1n << 63n;
/** sqrt(2) as a significand, rounded. */
const ROOT_2 = 0xb504_f333_f9de_6484n;
/** Fraction bits of logarithms. */
const LOG_BITS = 256;

/** F2XM1: 2^a - 1 for |a| <= 1; beyond, where the manual leaves it undefined, a itself (SDM vol. 2, F2XM1). */
export function powerMinusOne(env: FloatEnvironment, a: Unpacked): Unpacked {
  if (a.kind >= QUIET) return propagateOne(env, a);
  if (a.kind === ZERO) return a;
  if (a.kind === INFINITE) return a.sign === 0 ? a : finite(1, 0, HALF);
  if (a.kind === DENORMAL) env.raised |= DE;
  env.format = EXTENDED;
  if (a.exponent >= 0) {
    env.raised |= PE;
    return a.exponent === 0 && a.significand === HALF && a.sign === 1 ? finite(1, -1, HALF) : a;
  }
  const product = a.significand * LN2;
  const y = product >> BigInt(63 - a.exponent);
  let factor = exponentialSeries(a.sign === 0 ? y : -y);
  if (factor === ONE) factor += a.sign === 0 ? 1n : -1n;
  return round(env, a.sign, a.exponent - 63 - 2 * Number(FRACTION) - 1, ((product * factor) << 1n) | 1n);
}

/** |num / den| * 2^LOG_BITS as log2((1 + z) / (1 - z)) with z = num / den, |z| < 0.18. */
function logOfRatio(num: bigint, den: bigint): bigint {
  const quotient = (num << BigInt(LOG_BITS)) / den;
  const square = ((num * num) << FRACTION) / (den * den);
  const natural = 2n * ((quotient * arctangentSeries(square)) >> FRACTION);
  return (natural << FRACTION) / LN2;
}

/** y * log, rounded; log in units of 2^-LOG_BITS. PE (and UE) are raised even for powers of 2, as processors do. */
function times(env: FloatEnvironment, y: Unpacked, log: bigint): Unpacked {
  env.format = EXTENDED;
  env.raised |= PE;
  const sign = y.sign ^ (log < 0n ? 1 : 0);
  const magnitude = (log < 0n ? -log : log) * y.significand;
  const whole = BigInt.asUintN(LOG_BITS, log) === 0n;
  const result = round(env, sign, y.exponent - 63 - LOG_BITS - 1, (magnitude << 1n) | (whole ? 0n : 1n));
  if (result.exponent < EXTENDED.minExponent) env.raised |= UE;
  return result;
}

/** log2 of value * 2^scale (value of 64 bits or more), in units of 2^-LOG_BITS. */
function binaryLog(scale: number, value: bigint): bigint {
  const length = value.toString(2).length;
  const upper = value >> BigInt(length - 64) > ROOT_2;
  const bits = upper ? length : length - 1;
  const one = 1n << BigInt(bits);
  const whole = BigInt(bits + scale) << BigInt(LOG_BITS);
  return value === one ? whole : whole + logOfRatio(value - one, value + one);
}

/** FYL2X: y * log2(x) (SDM vol. 2, FYL2X). */
export function logarithm(env: FloatEnvironment, x: Unpacked, y: Unpacked): Unpacked {
  if (x.kind >= QUIET || y.kind >= QUIET) return propagate(env, x, y);
  if (x.kind === ZERO) {
    if (y.kind === ZERO) return invalid(env);
    if (y.kind !== INFINITE) env.raised |= ZE;
    return infinity(y.sign ^ 1);
  }
  if (x.sign === 1) return invalid(env);
  const isOne = x.kind === NORMAL && x.exponent === 0 && x.significand === HALF;
  if (y.kind === INFINITE && isOne) return invalid(env);
  if (x.kind === INFINITE && y.kind === ZERO) return invalid(env);
  if (x.kind === DENORMAL || y.kind === DENORMAL) env.raised |= DE;
  if (x.kind === INFINITE) return infinity(y.sign);
  const negative = x.exponent < 0 ? 1 : 0;
  if (y.kind === INFINITE || y.kind === ZERO) return withSign(y, y.sign ^ negative);
  if (isOne) return zero(y.sign);
  return times(env, y, binaryLog(x.exponent - 63, x.significand));
}

/** FYL2XP1: y * log2(x + 1) (SDM vol. 2, FYL2XP1); for x <= -1, which the manual leaves undefined, x itself. */
export function logarithmPlusOne(env: FloatEnvironment, x: Unpacked, y: Unpacked): Unpacked {
  if (x.kind >= QUIET || y.kind >= QUIET) return propagate(env, x, y);
  if (x.kind === INFINITE && (x.sign === 1 || y.kind === ZERO)) return invalid(env);
  if (x.kind === ZERO && y.kind === INFINITE) return invalid(env);
  if (x.kind === DENORMAL || y.kind === DENORMAL) env.raised |= DE;
  if (x.kind === INFINITE) return infinity(y.sign);
  const sign = x.sign ^ y.sign;
  if (y.kind === INFINITE) return infinity(sign);
  if (x.kind === ZERO || y.kind === ZERO) return zero(sign);
  if (x.sign === 1 && x.exponent >= 0) {
    env.raised |= PE;
    return x;
  }
  if (x.exponent < -130) return nearOne(env, x, y);
  return times(env, y, logOfSuccessor(x));
}

/** log2(1 + x) for 2^-130 <= |x|, x > -1. */
function logOfSuccessor(x: Unpacked): bigint {
  const shift = 63 - x.exponent;
  const signed = x.sign === 0 ? x.significand : -x.significand;
  if (shift < -64) return binaryLog(-shift, signed);
  const scale = Math.max(shift, 0) + 64;
  const one = 1n << BigInt(scale);
  const part = signed << BigInt(scale - shift);
  return x.exponent < -2 ? logOfRatio(part, 2n * one + part) : binaryLog(-scale, one + part);
}

/** y * log2(1 + x) for a tiny x: y * x / ln 2. */
function nearOne(env: FloatEnvironment, x: Unpacked, y: Unpacked): Unpacked {
  env.format = EXTENDED;
  const quotient = ((x.significand * y.significand) << (FRACTION + 64n)) / LN2;
  return round(env, x.sign ^ y.sign, x.exponent + y.exponent - 126 - 65, (quotient << 1n) | 1n);
}
