import { type FloatEnvironment, OE, PE, ROUND_DOWN, ROUND_NEAREST, ROUND_UP, ROUND_ZERO, UE } from './environment.ts';
import { type Unpacked, bitLength, finite, infinity, zero } from './unpacked.ts';

/** value / 2^shift, rounded to an integer; shift must be positive. */
export function roundShift(value: bigint, shift: number, rounding: number, sign: number): bigint {
  const bits = BigInt(shift);
  const kept = value >> bits;
  const rest = value - (kept << bits);
  if (rest === 0n) return kept;
  if (rounding === ROUND_NEAREST) {
    const half = 1n << (bits - 1n);
    if (rest > half || (rest === half && (kept & 1n) === 1n)) return kept + 1n;
    return kept;
  }
  if (rounding === ROUND_ZERO) return kept;
  return (rounding === ROUND_UP) === (sign === 0) ? kept + 1n : kept;
}

/** Notes PE and the direction of the rounding that turned value into rounded * 2^shift. */
function note(env: FloatEnvironment, value: bigint, rounded: bigint, shift: number): void {
  const back = rounded << BigInt(shift);
  if (back === value) return;
  env.raised |= PE;
  env.roundedUp = back > value;
}

function normalised(sign: number, scale: number, value: bigint): Unpacked {
  const length = bitLength(value);
  return finite(sign, scale + length - 1, length > 64 ? value >> BigInt(length - 64) : value << BigInt(64 - length));
}

/**
 * Rounds value * 2^scale (value > 0, exact, or with its last bit standing for everything below it and at least two bits
 * more than the format has) to the environment's format, with the responses of SDM vol. 1 §4.9.1.
 */
export function round(env: FloatEnvironment, sign: number, scale: number, value: bigint): Unpacked {
  const { precision, minExponent, maxExponent } = env.format;
  const length = bitLength(value);
  const top = scale + length - 1;
  env.roundedUp = false;
  if (top < minExponent) return roundTiny(env, sign, scale, value, length);
  const shift = length - precision;
  if (shift <= 0) {
    if (top > maxExponent) return overflow(env, sign, top, value << BigInt(64 - length));
    return finite(sign, top, value << BigInt(64 - length));
  }
  const rounded = roundShift(value, shift, env.rounding, sign);
  const exponent = bitLength(rounded) > precision ? top + 1 : top;
  const result = normalised(sign, scale + shift, rounded);
  if (exponent > maxExponent) {
    if (env.format.wrap !== 0 || (env.masks & OE) === 0) note(env, value, rounded, shift);
    return overflow(env, sign, exponent, result.significand);
  }
  note(env, value, rounded, shift);
  return result;
}

function overflow(env: FloatEnvironment, sign: number, exponent: number, significand: bigint): Unpacked {
  const { precision, maxExponent, wrap } = env.format;
  env.raised |= OE;
  if ((env.masks & OE) === 0 && wrap !== 0 && exponent - wrap <= maxExponent) {
    return finite(sign, exponent - wrap, significand);
  }
  if ((env.masks & OE) === 0 && wrap === 0) return infinity(sign);
  env.raised |= PE;
  const toInfinity =
    (env.masks & OE) === 0 || env.rounding === ROUND_NEAREST || env.rounding === (sign === 0 ? ROUND_UP : ROUND_DOWN);
  env.roundedUp = toInfinity;
  if (toInfinity) return infinity(sign);
  return finite(sign, maxExponent, ((1n << BigInt(precision)) - 1n) << BigInt(64 - precision));
}

function roundTiny(env: FloatEnvironment, sign: number, scale: number, value: bigint, length: number): Unpacked {
  const { precision, minExponent, wrap } = env.format;
  const top = scale + length - 1;
  const shift = length - precision;
  const unbounded = shift > 0 ? roundShift(value, shift, env.rounding, sign) : value << BigInt(-shift);
  const tiny = top < minExponent - 1 || bitLength(unbounded) <= precision;
  if (tiny && (env.masks & UE) === 0) {
    env.raised |= UE;
    if (wrap === 0 || top + wrap >= minExponent) {
      if (shift > 0) note(env, value, unbounded, shift);
      return normalised(sign, scale + shift + wrap, unbounded);
    }
    env.raised |= PE;
    return zero(sign);
  }
  if (tiny && env.flushToZero) {
    env.raised |= UE | PE;
    return zero(sign);
  }
  return denormalise(env, sign, scale, value, tiny);
}

function denormalise(env: FloatEnvironment, sign: number, scale: number, value: bigint, tiny: boolean): Unpacked {
  const quantum = env.format.minExponent - env.format.precision + 1;
  let shift = quantum - scale;
  if (shift <= 0) return normalised(sign, scale, value);
  if (shift > 1024) {
    value = 1n;
    shift = 2;
  }
  const rounded = roundShift(value, shift, env.rounding, sign);
  const before = env.raised & PE;
  env.raised &= ~PE;
  note(env, value, rounded, shift);
  if (tiny && (env.raised & PE) !== 0) env.raised |= UE;
  env.raised |= before;
  return rounded === 0n ? zero(sign) : normalised(sign, quantum, rounded);
}
