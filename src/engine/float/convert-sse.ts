import { convert, roundToIntegral, toInteger } from './convert.ts';
import { DOUBLE, type FloatEnvironment, PE, ROUND_ZERO, SINGLE } from './environment.ts';
import { packDouble, packSingle, unpackDouble, unpackInteger, unpackSingle } from './formats.ts';

/** CVTSS2SD on bit patterns. */
export function singleToDouble(env: FloatEnvironment, a: number): bigint {
  env.format = DOUBLE;
  return packDouble(convert(env, unpackSingle(a, env.denormalsAreZero), true));
}

/** CVTSD2SS on bit patterns. */
export function doubleToSingle(env: FloatEnvironment, a: bigint): number {
  env.format = SINGLE;
  return packSingle(convert(env, unpackDouble(a, env.denormalsAreZero), true));
}

/** CVTSI2SD: a signed integer of 32 or 64 bits. */
export function integerToDouble(env: FloatEnvironment, value: bigint): bigint {
  env.format = DOUBLE;
  return packDouble(convert(env, unpackInteger(value), false));
}

/** CVTSI2SS, and a lane of CVTDQ2PS. */
export function integerToSingle(env: FloatEnvironment, value: bigint): number {
  env.format = SINGLE;
  return packSingle(convert(env, unpackInteger(value), false));
}

/** CVTSD2SI and (`truncate`) CVTTSD2SI to 32 or 64 bits, signed. */
export function doubleToInteger(env: FloatEnvironment, a: bigint, width: 32 | 64, truncate: boolean): bigint {
  return toInteger(env, unpackDouble(a, env.denormalsAreZero), width, truncate ? ROUND_ZERO : env.rounding);
}

/** CVTSS2SI and (`truncate`) CVTTSS2SI to 32 or 64 bits, signed. */
export function singleToInteger(env: FloatEnvironment, a: number, width: 32 | 64, truncate: boolean): bigint {
  return toInteger(env, unpackSingle(a, env.denormalsAreZero), width, truncate ? ROUND_ZERO : env.rounding);
}

/** Rounding of ROUNDSD's immediate: bits 1:0 unless bit 2 selects MXCSR; bit 3 keeps PE down (SDM vol. 2, ROUNDSD). */
function withImmediate<T>(env: FloatEnvironment, immediate: number, body: (rounding: number) => T): T {
  const before = env.raised & PE;
  const result = body((immediate & 4) !== 0 ? env.rounding : immediate & 3);
  if ((immediate & 8) !== 0) env.raised = (env.raised & ~PE) | before;
  return result;
}

/** ROUNDSD on bit patterns. */
export function doubleRound(env: FloatEnvironment, a: bigint, immediate: number): bigint {
  return withImmediate(env, immediate, (rounding) =>
    packDouble(roundToIntegral(env, unpackDouble(a, env.denormalsAreZero), rounding)),
  );
}

/** ROUNDSS on bit patterns. */
export function singleRound(env: FloatEnvironment, a: number, immediate: number): number {
  return withImmediate(env, immediate, (rounding) =>
    packSingle(roundToIntegral(env, unpackSingle(a, env.denormalsAreZero), rounding)),
  );
}

/** RCPSS: 1 / a cut to 12 bits; raises nothing, takes and gives denormals as zeros (SDM vol. 2, RCPSS). */
export function singleReciprocal(a: number): number {
  return approximate(a, (x) => 1 / x);
}

/** RSQRTSS: 1 / sqrt(a) cut to 12 bits; raises nothing (SDM vol. 2, RSQRTSS). */
export function singleReciprocalSquareRoot(a: number): number {
  return approximate(a, (x) => 1 / Math.sqrt(x));
}

function approximate(a: number, of: (value: number) => number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, (a & 0x7f80_0000) === 0 ? a & 0x8000_0000 : a);
  const x = view.getFloat32(0);
  if (Number.isNaN(x)) return (a | 0x40_0000) >>> 0;
  const result = of(x);
  if (Number.isNaN(result)) return 0xffc0_0000;
  view.setFloat32(0, result);
  const bits = view.getUint32(0);
  if ((bits & 0x7f80_0000) === 0) return (bits & 0x8000_0000) >>> 0;
  if ((bits & 0x7f80_0000) === 0x7f80_0000) return bits;
  return ((bits + 0x400) & 0xffff_f800) >>> 0;
}
