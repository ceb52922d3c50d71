import { integerRoot } from './arithmetic.ts';
import { DE, EXTENDED, type FloatEnvironment } from './environment.ts';
import { round } from './round.ts';
import { FRACTION, ONE, PI, arctangentSeries, cosineSeries, sineSeries } from './series.ts';
import {
  DENORMAL,
  INFINITE,
  QUIET,
  type Unpacked,
  ZERO,
  finite,
  invalid,
  propagate,
  propagateOne,
  zero,
} from './unpacked.ts';

/** The processor's pi of 66 bits, times 2^66 (SDM vol. 1 §8.3.8); halved by its scale of 2^-67. */
const PI_66 = 0xc90f_daa2_2168_c234_cn;
const HALF_PI_BITS = 67;
const F = Number(FRACTION);

/** An angle reduced by multiples of pi/2: quadrant, and sine and cosine of the rest as integer * 2^scale. */
interface Reduced {
  quadrant: number;
  sign: number;
  sine: bigint;
  sineScale: number;
  cosine: bigint;
}

function reduce(a: Unpacked): Reduced {
  const lsb = a.exponent - 63;
  if (a.exponent < -100) return reduced(0, a.sign, a.significand, lsb);
  const unit = Math.min(lsb, -HALF_PI_BITS);
  const angle = a.significand << BigInt(lsb - unit);
  const half = PI_66 << BigInt(-HALF_PI_BITS - unit);
  const turns = (2n * angle + half) / (2n * half);
  const rest = angle - turns * half;
  return reduced(Number(turns & 3n), a.sign, rest, unit);
}

/** The angle is sign * (quadrant * pi/2 + rest * 2^scale). */
function reduced(quadrant: number, sign: number, rest: bigint, scale: number): Reduced {
  const doubled = FRACTION + BigInt(2 * scale);
  const square = doubled >= 0n ? (rest * rest) << doubled : (rest * rest) >> -doubled;
  const factor = sineSeries(square);
  const cosine = cosineSeries(square);
  return {
    quadrant,
    sign,
    sine: rest * (factor === ONE ? ONE - 1n : factor),
    sineScale: scale - F,
    cosine: cosine === ONE ? ONE - 1n : cosine,
  };
}

function roundSigned(env: FloatEnvironment, sign: number, value: bigint, scale: number): Unpacked {
  env.format = EXTENDED;
  const magnitude = value < 0n ? -value : value;
  return round(env, value < 0n ? sign ^ 1 : sign, scale - 1, (magnitude << 1n) | 1n);
}

function sineOf(env: FloatEnvironment, r: Reduced): Unpacked {
  const sign = r.sign ^ (r.quadrant >> 1);
  return (r.quadrant & 1) === 0 ? roundSigned(env, sign, r.sine, r.sineScale) : roundSigned(env, sign, r.cosine, -F);
}

function cosineOf(env: FloatEnvironment, r: Reduced): Unpacked {
  const sign = ((r.quadrant + 1) >> 1) & 1;
  return (r.quadrant & 1) === 0 ? roundSigned(env, sign, r.cosine, -F) : roundSigned(env, sign, r.sine, r.sineScale);
}

function tangentOf(env: FloatEnvironment, r: Reduced): Unpacked {
  if ((r.quadrant & 1) === 0) return roundSigned(env, r.sign, (r.sine << FRACTION) / r.cosine, r.sineScale);
  const shift = FRACTION + BigInt(Math.max(0, -r.sineScale - F));
  return roundSigned(env, r.sign ^ 1, (r.cosine << (2n * shift)) / r.sine, -F - r.sineScale - 2 * Number(shift));
}

/** Whether FSIN and its like leave the operand alone and set C2: |a| >= 2^63. */
export function isBeyondReduction(a: Unpacked): boolean {
  return a.kind < INFINITE && a.kind !== ZERO && a.exponent >= 63;
}

function trigonometric(
  env: FloatEnvironment,
  a: Unpacked,
  ofZero: Unpacked,
  of: (env: FloatEnvironment, r: Reduced) => Unpacked,
): Unpacked {
  if (a.kind >= QUIET) return propagateOne(env, a);
  if (a.kind === INFINITE) return invalid(env);
  if (a.kind === ZERO) return ofZero;
  if (a.kind === DENORMAL) env.raised |= DE;
  return of(env, reduce(a));
}

/** FSIN. */
export function sine(env: FloatEnvironment, a: Unpacked): Unpacked {
  return trigonometric(env, a, a, sineOf);
}

/** FCOS. */
export function cosine(env: FloatEnvironment, a: Unpacked): Unpacked {
  return trigonometric(env, a, finite(0, 0, 1n << 63n), cosineOf);
}

/** FPTAN. */
export function tangent(env: FloatEnvironment, a: Unpacked): Unpacked {
  return trigonometric(env, a, a, tangentOf);
}

/** Quarters of pi, 0 to 4, as a result. */
function quarters(env: FloatEnvironment, sign: number, count: number): Unpacked {
  return roundSigned(env, sign, PI * BigInt(count), -F - 2);
}

/** FPATAN: the angle of the point (x, y) (SDM vol. 2, table 3-30). */
export function arctangent(env: FloatEnvironment, y: Unpacked, x: Unpacked): Unpacked {
  if (x.kind >= QUIET || y.kind >= QUIET) return propagate(env, x, y);
  if (x.kind === DENORMAL || y.kind === DENORMAL) env.raised |= DE;
  if (y.kind === INFINITE) return quarters(env, y.sign, x.kind !== INFINITE ? 2 : x.sign === 0 ? 1 : 3);
  if (x.kind === INFINITE || y.kind === ZERO) return x.sign === 0 ? zero(y.sign) : quarters(env, y.sign, 4);
  if (x.kind === ZERO) return quarters(env, y.sign, 2);
  const gap = y.exponent - x.exponent;
  const steep = gap > 0 || (gap === 0 && y.significand > x.significand);
  const num = steep ? x : y;
  const den = steep ? y : x;
  const quotient = (num.significand << FRACTION) / den.significand;
  const scale = num.exponent - den.exponent;
  if (scale < -64 && !steep && x.sign === 0) {
    return roundSigned(env, y.sign, quotient * (ONE - (ONE >> 126n)), scale - 2 * F);
  }
  const angle = scale < -2 * F ? 0n : arctangentOf(quotient >> BigInt(-scale));
  if (!steep) return x.sign === 0 ? directAngle(env, y, quotient, scale) : roundSigned(env, y.sign, PI - angle, -F);
  return roundSigned(env, y.sign, x.sign === 0 ? PI / 2n - angle : PI / 2n + angle, -F);
}

/** atan(quotient * 2^(scale - F)) with the relative precision kept. */
function directAngle(env: FloatEnvironment, y: Unpacked, quotient: bigint, scale: number): Unpacked {
  const t = quotient >> BigInt(-scale);
  if (scale > -8) return roundSigned(env, y.sign, arctangentOf(t), -F);
  const factor = arctangentSeries(-((t * t) >> FRACTION));
  return roundSigned(env, y.sign, quotient * factor, scale - 2 * F);
}

/** atan of a fixed-point number of 0 to 1, after halving the angle three times. */
function arctangentOf(t: bigint): bigint {
  let halved = t;
  for (let i = 0; i < 3; i++) {
    halved = (halved << FRACTION) / (ONE + integerRoot((ONE << FRACTION) + halved * halved));
  }
  return 8n * ((halved * arctangentSeries(-((halved * halved) >> FRACTION))) >> FRACTION);
}
