import { DE, EXTENDED, type FloatEnvironment, ROUND_NEAREST, ROUND_ZERO, ZE } from './environment.ts';
import { unpackInteger } from './formats.ts';
import { round, roundShift } from './round.ts';
import {
  DENORMAL,
  INFINITE,
  QUIET,
  type Unpacked,
  ZERO,
  finite,
  infinity,
  invalid,
  propagate,
  propagateOne,
  zero,
} from './unpacked.ts';

/** FSCALE: a * 2^trunc(b) (SDM vol. 2, FSCALE). */
export function scale(env: FloatEnvironment, a: Unpacked, b: Unpacked): Unpacked {
  if (a.kind >= QUIET || b.kind >= QUIET) return propagate(env, a, b);
  if (b.kind === INFINITE) {
    if ((b.sign === 0 && a.kind === ZERO) || (b.sign === 1 && a.kind === INFINITE)) return invalid(env);
    if (a.kind === DENORMAL) env.raised |= DE;
    return b.sign === 0 ? infinity(a.sign) : zero(a.sign);
  }
  if (a.kind === DENORMAL || b.kind === DENORMAL) env.raised |= DE;
  if (a.kind === ZERO || a.kind === INFINITE) return a;
  const steps = scaleSteps(b);
  env.format = EXTENDED;
  return round(env, a.sign, a.exponent - 63 + steps, a.significand);
}

function scaleSteps(b: Unpacked): number {
  if (b.kind === ZERO || b.exponent < 0) return 0;
  const magnitude = b.exponent > 16 ? 0x20000 : Number(roundShift(b.significand, 63 - b.exponent, ROUND_ZERO, 0));
  return b.sign === 1 ? -magnitude : magnitude;
}

/** FXTRACT: exponent and significand of a. */
export function extract(env: FloatEnvironment, a: Unpacked): { exponent: Unpacked; significand: Unpacked } {
  if (a.kind >= QUIET) {
    const value = propagateOne(env, a);
    return { exponent: value, significand: value };
  }
  if (a.kind === ZERO) {
    env.raised |= ZE;
    return { exponent: infinity(1), significand: a };
  }
  if (a.kind === INFINITE) return { exponent: infinity(0), significand: a };
  if (a.kind === DENORMAL) env.raised |= DE;
  return { exponent: unpackInteger(BigInt(a.exponent)), significand: finite(a.sign, 0, a.significand) };
}

/** What FPREM and FPREM1 give: the (partial) remainder, low bits of the quotient (-1: none), whether steps remain. */
export interface Remainder {
  value: Unpacked;
  quotient: number;
  partial: boolean;
}

/** FPREM (`rounding` ROUND_ZERO) and FPREM1 (ROUND_NEAREST) (SDM vol. 2, FPREM). */
export function remainder(env: FloatEnvironment, a: Unpacked, b: Unpacked, rounding: number): Remainder {
  const whole = (value: Unpacked): Remainder => ({ value, quotient: 0, partial: false });
  const none = (value: Unpacked): Remainder => ({ value, quotient: -1, partial: false });
  if (a.kind >= QUIET || b.kind >= QUIET) return none(propagate(env, a, b));
  if (a.kind === INFINITE || b.kind === ZERO) return none(invalid(env));
  if (a.kind === DENORMAL || b.kind === DENORMAL) env.raised |= DE;
  env.format = EXTENDED;
  if (a.kind === ZERO) return whole(a);
  if (b.kind === INFINITE) return whole(round(env, a.sign, a.exponent - 63, a.significand));
  const gap = a.exponent - b.exponent;
  if (gap < -1) return whole(round(env, a.sign, a.exponent - 63, a.significand));
  if (gap >= 64) return partialRemainder(env, a, b, gap);
  return finalRemainder(env, a, b, gap, rounding);
}

function finalRemainder(env: FloatEnvironment, a: Unpacked, b: Unpacked, gap: number, rounding: number): Remainder {
  const dividend = gap >= 0 ? a.significand << BigInt(gap) : a.significand;
  const divisor = gap >= 0 ? b.significand : b.significand << 1n;
  let quotient = dividend / divisor;
  let rest = dividend - quotient * divisor;
  let sign = a.sign;
  if (rounding === ROUND_NEAREST) {
    const twice = rest << 1n;
    if (twice > divisor || (twice === divisor && (quotient & 1n) === 1n)) {
      quotient += 1n;
      rest = divisor - rest;
      sign ^= 1;
    }
  }
  const lsb = (gap >= 0 ? b.exponent : a.exponent) - 63;
  const value = rest === 0n ? zero(a.sign) : round(env, sign, lsb, rest);
  return { value, quotient: Number(quotient & 7n), partial: false };
}

/** One step that shortens the gap of the exponents by 32 to 63 bits. */
function partialRemainder(env: FloatEnvironment, a: Unpacked, b: Unpacked, gap: number): Remainder {
  const bits = (gap & 31) | 32;
  const dividend = a.significand << BigInt(bits);
  const rest = dividend % b.significand;
  const value = rest === 0n ? zero(a.sign) : round(env, a.sign, b.exponent + gap - bits - 63, rest);
  return { value, quotient: 0, partial: true };
}
