import { DE, type FloatEnvironment, IE, PE } from './environment.ts';
import { round, roundShift } from './round.ts';
import {
  DENORMAL,
  INFINITE,
  QUIET,
  SIGNALING,
  UNSUPPORTED,
  type Unpacked,
  ZERO,
  bitLength,
  finite,
  propagateOne,
  zero,
} from './unpacked.ts';

/** The number rounded to the environment's format; DE for a denormal operand is the caller's choice of instruction. */
export function convert(env: FloatEnvironment, a: Unpacked, noteDenormal: boolean): Unpacked {
  env.roundedUp = false;
  if (a.kind >= QUIET) return propagateOne(env, a);
  if (a.kind === ZERO || a.kind === INFINITE) return a;
  if (noteDenormal && a.kind === DENORMAL) env.raised |= DE;
  return round(env, a.sign, a.exponent - 63, a.significand);
}

/** The magnitude of a finite operand rounded to an integer; notes PE and C1. */
function integral(env: FloatEnvironment, a: Unpacked, rounding: number): bigint {
  const shift = 63 - a.exponent;
  if (shift <= 0) return a.significand << BigInt(-shift);
  const jammed = shift > 66;
  const value = jammed ? 1n : a.significand;
  const places = jammed ? 2 : shift;
  const rounded = roundShift(value, places, rounding, a.sign);
  const back = rounded << BigInt(places);
  if (back !== value) {
    env.raised |= PE;
    env.roundedUp = back > value;
  }
  return rounded;
}

/** A signed integer of the given width; out of range or not a number: IE and the integer indefinite, -2^(width-1). */
export function toInteger(env: FloatEnvironment, a: Unpacked, width: number, rounding: number): bigint {
  const limit = 1n << BigInt(width - 1);
  env.roundedUp = false;
  if (a.kind === ZERO) return 0n;
  if (a.kind >= INFINITE || a.exponent > width) {
    env.raised |= IE;
    return -limit;
  }
  const before = env.raised;
  const magnitude = integral(env, a, rounding);
  if (magnitude > limit || (magnitude === limit && a.sign === 0)) {
    env.raised = before | IE;
    env.roundedUp = false;
    return -limit;
  }
  return a.sign === 1 ? -magnitude : magnitude;
}

/** The number rounded to an integral value in its own format (FRNDINT, ROUNDSD). */
export function roundToIntegral(env: FloatEnvironment, a: Unpacked, rounding: number): Unpacked {
  env.roundedUp = false;
  if (a.kind >= QUIET) return propagateOne(env, a);
  if (a.kind === ZERO || a.kind === INFINITE || a.exponent >= 63) return a;
  const magnitude = integral(env, a, rounding);
  if (magnitude === 0n) return zero(a.sign);
  const length = bitLength(magnitude);
  return finite(a.sign, length - 1, magnitude << BigInt(64 - length));
}

/** How two operands are ordered: -1, 0, 1, or 2 for unordered. A QNaN is invalid only if `signalsQuiet`. */
export function compare(env: FloatEnvironment, a: Unpacked, b: Unpacked, signalsQuiet: boolean): number {
  if (a.kind >= QUIET || b.kind >= QUIET) {
    const signals = a.kind === SIGNALING || b.kind === SIGNALING || a.kind === UNSUPPORTED || b.kind === UNSUPPORTED;
    if (signals || signalsQuiet) env.raised |= IE;
    return 2;
  }
  if (a.kind === DENORMAL || b.kind === DENORMAL) env.raised |= DE;
  if (a.kind === ZERO && b.kind === ZERO) return 0;
  if (a.kind === ZERO) return b.sign === 1 ? 1 : -1;
  if (b.kind === ZERO || a.sign !== b.sign) return a.sign === 1 ? -1 : 1;
  const order = compareMagnitude(a, b);
  return a.sign === 1 ? 0 - order : order;
}

function compareMagnitude(a: Unpacked, b: Unpacked): number {
  if (a.kind === INFINITE || b.kind === INFINITE) {
    return (a.kind === INFINITE ? 1 : 0) - (b.kind === INFINITE ? 1 : 0);
  }
  if (a.exponent !== b.exponent) return a.exponent > b.exponent ? 1 : -1;
  if (a.significand === b.significand) return 0;
  return a.significand > b.significand ? 1 : -1;
}
