import { DE, type FloatEnvironment, ROUND_DOWN, ZE } from './environment.ts';
import { round } from './round.ts';
import {
  DENORMAL,
  INFINITE,
  QUIET,
  type Unpacked,
  ZERO,
  infinity,
  invalid,
  propagate,
  propagateOne,
  withSign,
  zero,
} from './unpacked.ts';

function noteDenormals(env: FloatEnvironment, a: Unpacked, b: Unpacked): void {
  if (a.kind === DENORMAL || b.kind === DENORMAL) env.raised |= DE;
}

/** a + b. */
export function add(env: FloatEnvironment, a: Unpacked, b: Unpacked): Unpacked {
  if (a.kind >= QUIET || b.kind >= QUIET) return propagate(env, a, b);
  if (a.kind === INFINITE && b.kind === INFINITE && a.sign !== b.sign) return invalid(env);
  noteDenormals(env, a, b);
  if (a.kind === INFINITE) return a;
  if (b.kind === INFINITE) return b;
  if (a.kind === ZERO && b.kind === ZERO) {
    return a.sign === b.sign ? a : zero(env.rounding === ROUND_DOWN ? 1 : 0);
  }
  if (a.kind === ZERO) return round(env, b.sign, b.exponent - 63, b.significand);
  if (b.kind === ZERO) return round(env, a.sign, a.exponent - 63, a.significand);
  return a.exponent >= b.exponent ? addAligned(env, a, b) : addAligned(env, b, a);
}

/** The sum of finite operands; a's exponent is not the smaller one. */
function addAligned(env: FloatEnvironment, a: Unpacked, b: Unpacked): Unpacked {
  const gap = a.exponent - b.exponent;
  if (gap > 132) {
    const whole = a.significand << 68n;
    return round(env, a.sign, a.exponent - 131, a.sign === b.sign ? whole + 1n : whole - 1n);
  }
  const high = a.significand << BigInt(gap);
  const total = a.sign === b.sign ? high + b.significand : high - b.significand;
  if (total === 0n) return zero(env.rounding === ROUND_DOWN ? 1 : 0);
  return total > 0n ? round(env, a.sign, b.exponent - 63, total) : round(env, b.sign, b.exponent - 63, -total);
}

/** a - b. */
export function subtract(env: FloatEnvironment, a: Unpacked, b: Unpacked): Unpacked {
  return add(env, a, b.kind >= QUIET ? b : withSign(b, b.sign ^ 1));
}

/** a * b. */
export function multiply(env: FloatEnvironment, a: Unpacked, b: Unpacked): Unpacked {
  if (a.kind >= QUIET || b.kind >= QUIET) return propagate(env, a, b);
  const sign = a.sign ^ b.sign;
  if (a.kind === INFINITE || b.kind === INFINITE) {
    if (a.kind === ZERO || b.kind === ZERO) return invalid(env);
    noteDenormals(env, a, b);
    return infinity(sign);
  }
  noteDenormals(env, a, b);
  if (a.kind === ZERO || b.kind === ZERO) return zero(sign);
  return round(env, sign, a.exponent + b.exponent - 126, a.significand * b.significand);
}

/** a / b. */
export function divide(env: FloatEnvironment, a: Unpacked, b: Unpacked): Unpacked {
  if (a.kind >= QUIET || b.kind >= QUIET) return propagate(env, a, b);
  const sign = a.sign ^ b.sign;
  if (a.kind === b.kind && (a.kind === ZERO || a.kind === INFINITE)) return invalid(env);
  if (b.kind === ZERO && a.kind !== INFINITE) {
    env.raised |= ZE;
    return infinity(sign);
  }
  noteDenormals(env, a, b);
  if (a.kind === INFINITE) return infinity(sign);
  if (a.kind === ZERO || b.kind === INFINITE) return zero(sign);
  const dividend = a.significand << 67n;
  const quotient = dividend / b.significand;
  const sticky = quotient * b.significand === dividend ? 0n : 1n;
  return round(env, sign, a.exponent - b.exponent - 68, (quotient << 1n) | sticky);
}

/** The square root of a. */
export function squareRoot(env: FloatEnvironment, a: Unpacked): Unpacked {
  if (a.kind >= QUIET) return propagateOne(env, a);
  if (a.kind === ZERO) return a;
  if (a.sign === 1) return invalid(env);
  noteDenormals(env, a, a);
  if (a.kind === INFINITE) return a;
  const shift = 71 - (a.exponent & 1);
  const radicand = a.significand << BigInt(shift);
  const root = integerRoot(radicand);
  const sticky = root * root === radicand ? 0n : 1n;
  return round(env, 0, (a.exponent - 63 - shift) / 2 - 1, (root << 1n) | sticky);
}

/** The largest integer whose square does not exceed value. */
export function integerRoot(value: bigint): bigint {
  const excess = Math.max(0, value.toString(16).length * 4 - 1000);
  const even = BigInt(excess + (excess & 1));
  let root = (BigInt(Math.floor(Math.sqrt(Number(value >> even)))) << (even / 2n)) + 1n;
  for (;;) {
    const next = (root + value / root) >> 1n;
    const step = next - root;
    root = next;
    if (step >= -1n && step <= 1n) break;
  }
  while (root * root > value) root -= 1n;
  while ((root + 1n) * (root + 1n) <= value) root += 1n;
  return root;
}
