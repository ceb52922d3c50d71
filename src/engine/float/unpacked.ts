import { type FloatEnvironment, IE } from './environment.ts';

/** What kind of number an operand is (SDM vol. 1 §4.8.3, §8.2.2); the order lets ranges be tested. */
export const ZERO = 0;
export const NORMAL = 1;
export const DENORMAL = 2;
export const INFINITE = 3;
export const QUIET = 4;
export const SIGNALING = 5;
export const UNSUPPORTED = 6;

/**
 * A floating-point operand of any format, taken apart. Finite and not zero: significand has 64 bits, the first one 1,
 * and the value is significand * 2^(exponent - 63). NaN: significand is that of the extended format.
 */
export interface Unpacked {
  readonly kind: number;
  readonly sign: number;
  readonly exponent: number;
  readonly significand: bigint;
}

const QUIET_BIT = 1n << 62n;
const INTEGER_BIT = 1n << 63n;

/** The QNaN floating-point indefinite (SDM vol. 1 table 4-3). */
export const INDEFINITE: Unpacked = { kind: QUIET, sign: 1, exponent: 0, significand: INTEGER_BIT | QUIET_BIT };

/** A zero of the given sign. */
export function zero(sign: number): Unpacked {
  return { kind: ZERO, sign, exponent: 0, significand: 0n };
}

/** An infinity of the given sign. */
export function infinity(sign: number): Unpacked {
  return { kind: INFINITE, sign, exponent: 0, significand: INTEGER_BIT };
}

/** A finite number with a normalised significand. */
export function finite(sign: number, exponent: number, significand: bigint): Unpacked {
  return { kind: NORMAL, sign, exponent, significand };
}

/** A NaN from an extended significand. */
export function nan(sign: number, significand: bigint): Unpacked {
  const kind = (significand & QUIET_BIT) !== 0n ? QUIET : SIGNALING;
  return { kind, sign, exponent: 0, significand: significand | INTEGER_BIT };
}

/** The operand with its sign replaced. */
export function withSign(a: Unpacked, sign: number): Unpacked {
  return a.sign === sign ? a : { kind: a.kind, sign, exponent: a.exponent, significand: a.significand };
}

/** The NaN made quiet. */
function quieted(a: Unpacked): Unpacked {
  return a.kind === QUIET ? a : { kind: QUIET, sign: a.sign, exponent: 0, significand: a.significand | QUIET_BIT };
}

/** Raises IE and gives the default answer. */
export function invalid(env: FloatEnvironment): Unpacked {
  env.raised |= IE;
  return INDEFINITE;
}

/** The result of an operation with a NaN or an unsupported encoding among its operands (SDM vol. 1 table 4-7). */
export function propagate(env: FloatEnvironment, a: Unpacked, b: Unpacked): Unpacked {
  if (a.kind === UNSUPPORTED || b.kind === UNSUPPORTED) return invalid(env);
  if (a.kind === SIGNALING || b.kind === SIGNALING) env.raised |= IE;
  if (b.kind < QUIET) return quieted(a);
  if (a.kind < QUIET) return quieted(b);
  if (env.firstNaN) return quieted(a);
  if (a.kind !== b.kind) return a.kind === QUIET ? a : b;
  if (a.significand !== b.significand) return quieted(a.significand > b.significand ? a : b);
  return quieted(a.sign === 0 ? a : b);
}

/** The result of an operation whose only operand is a NaN or an unsupported encoding. */
export function propagateOne(env: FloatEnvironment, a: Unpacked): Unpacked {
  return propagate(env, a, a);
}

/** Bits of a positive integer below 2^1000. */
export function bitLength(value: bigint): number {
  const high = Number(value >> 32n);
  if (high === 0) return 32 - Math.clz32(Number(value));
  if (high < 0x1_0000_0000) return 64 - Math.clz32(high);
  let bits = 64;
  let rest = value >> 64n;
  while (rest >= 0x1_0000_0000n) {
    rest >>= 32n;
    bits += 32;
  }
  return bits + 32 - Math.clz32(Number(rest));
}
