import {
  DENORMAL,
  INFINITE,
  NORMAL,
  QUIET,
  UNSUPPORTED,
  type Unpacked,
  ZERO,
  bitLength,
  finite,
  infinity,
  nan,
  zero,
} from './unpacked.ts';

const INTEGER_BIT = 1n << 63n;

/** Takes an extended number apart (SDM vol. 1 §8.2.2): 16 bits of sign and exponent, 64 of significand. */
export function unpackExtended(signExponent: number, significand: bigint): Unpacked {
  const sign = signExponent >> 15;
  const biased = signExponent & 0x7fff;
  if (biased === 0) {
    if (significand === 0n) return zero(sign);
    const lead = 64 - bitLength(significand);
    return { kind: DENORMAL, sign, exponent: -16382 - lead, significand: significand << BigInt(lead) };
  }
  if ((significand & INTEGER_BIT) === 0n) return { kind: UNSUPPORTED, sign, exponent: 0, significand };
  if (biased !== 0x7fff) return { kind: NORMAL, sign, exponent: biased - 16383, significand };
  return significand === INTEGER_BIT ? infinity(sign) : nan(sign, significand);
}

/** Sign and exponent of the extended encoding of a rounded result. */
export function extendedSignExponent(a: Unpacked): number {
  const sign = a.sign << 15;
  if (a.kind === ZERO) return sign;
  if (a.kind >= INFINITE) return sign | 0x7fff;
  return a.exponent < -16382 ? sign : sign | (a.exponent + 16383);
}

/** Significand of the extended encoding of a rounded result. */
export function extendedSignificand(a: Unpacked): bigint {
  if ((a.kind === NORMAL || a.kind === DENORMAL) && a.exponent < -16382) {
    return a.significand >> BigInt(-16382 - a.exponent);
  }
  return a.significand;
}

/** Takes a binary64 number apart. */
export function unpackDouble(bits: bigint, denormalsAreZero: boolean): Unpacked {
  const high = Number(bits >> 32n);
  const sign = high >>> 31;
  const biased = (high >>> 20) & 0x7ff;
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  if (biased === 0) {
    if (fraction === 0n || denormalsAreZero) return zero(sign);
    const length = bitLength(fraction);
    return { kind: DENORMAL, sign, exponent: length - 1075, significand: fraction << BigInt(64 - length) };
  }
  if (biased !== 0x7ff) return finite(sign, biased - 1023, INTEGER_BIT | (fraction << 11n));
  return fraction === 0n ? infinity(sign) : nan(sign, fraction << 11n);
}

/** The binary64 encoding of a result rounded to it. */
export function packDouble(a: Unpacked): bigint {
  const sign = BigInt(a.sign) << 63n;
  if (a.kind === ZERO) return sign;
  if (a.kind === INFINITE) return sign | 0x7ff0_0000_0000_0000n;
  if (a.kind >= QUIET) return sign | 0x7ff0_0000_0000_0000n | ((a.significand >> 11n) & 0xf_ffff_ffff_ffffn);
  if (a.exponent < -1022) return sign | (a.significand >> BigInt(11 - 1022 - a.exponent));
  return sign | (BigInt(a.exponent + 1023) << 52n) | ((a.significand >> 11n) & 0xf_ffff_ffff_ffffn);
}

/** Takes a binary32 number apart. */
export function unpackSingle(bits: number, denormalsAreZero: boolean): Unpacked {
  const sign = bits >>> 31;
  const biased = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7f_ffff;
  if (biased === 0) {
    if (fraction === 0 || denormalsAreZero) return zero(sign);
    const lead = Math.clz32(fraction);
    return { kind: DENORMAL, sign, exponent: -118 - lead, significand: BigInt((fraction << lead) >>> 0) << 32n };
  }
  if (biased !== 0xff) return finite(sign, biased - 127, BigInt((0x8000_0000 | (fraction << 8)) >>> 0) << 32n);
  return fraction === 0 ? infinity(sign) : nan(sign, BigInt((0x8000_0000 | (fraction << 8)) >>> 0) << 32n);
}

/** The binary32 encoding of a result rounded to it, as an unsigned number. */
export function packSingle(a: Unpacked): number {
  const sign = a.sign << 31;
  if (a.kind === ZERO) return sign >>> 0;
  if (a.kind === INFINITE) return (sign | 0x7f80_0000) >>> 0;
  const top = Number(a.significand >> 32n);
  if (a.kind >= QUIET) return (sign | 0x7f80_0000 | ((top >>> 8) & 0x7f_ffff)) >>> 0;
  if (a.exponent < -126) return (sign | (top >>> (8 - 126 - a.exponent))) >>> 0;
  return (sign | ((a.exponent + 127) << 23) | ((top >>> 8) & 0x7f_ffff)) >>> 0;
}

/** A signed integer as an operand. */
export function unpackInteger(value: bigint): Unpacked {
  if (value === 0n) return zero(0);
  const sign = value < 0n ? 1 : 0;
  const magnitude = sign === 1 ? -value : value;
  const length = bitLength(magnitude);
  return finite(sign, length - 1, magnitude << BigInt(64 - length));
}
