import type { MeaningBuilder, V } from '../../emit/builder.ts';
import * as L from '../../state/layout.ts';
import { vector32, vector64, zeroVector } from './operands.ts';
import { SIMD } from './simd.ts';

type Opcodes<Names extends string> = Readonly<Record<Names, number>>;
type Operator = 'add' | 'sub' | 'mul' | 'div' | 'sqrt';

/** Opcodes and constants of one floating-point type. WebAssembly Core Specification 2.0, 5.4.8. */
export interface FloatType {
  readonly bytes: 4 | 8;
  readonly type: 'f32' | 'f64';
  readonly integer: 'i32' | 'i64';
  readonly suffix: 's' | 'd';
  readonly fromBits: number;
  readonly toBits: number;
  readonly compare: Opcodes<'eq' | 'lt' | 'gt' | 'le' | 'ge'>;
  readonly scalar: Opcodes<Operator | 'abs' | 'neg' | 'ceil' | 'floor' | 'trunc' | 'nearest'>;
  readonly packed: Opcodes<Operator | 'pmin' | 'pmax' | 'eq' | 'lt' | 'gt' | 'ge'>;
  readonly rounding: readonly [nearest: number, down: number, up: number, zero: number];
  readonly leastNormal: bigint;
  readonly infinity: bigint;
}

// biome-ignore format: a table
export const SINGLE_TYPE: FloatType = {
  bytes: 4, type: 'f32', integer: 'i32', suffix: 's', fromBits: 0xbe, toBits: 0xbc,
  compare: { eq: 0x5b, lt: 0x5d, gt: 0x5e, le: 0x5f, ge: 0x60 },
  scalar: {
    abs: 0x8b, neg: 0x8c, ceil: 0x8d, floor: 0x8e, trunc: 0x8f, nearest: 0x90,
    sqrt: 0x91, add: 0x92, sub: 0x93, mul: 0x94, div: 0x95,
  },
  packed: {
    add: SIMD.f32x4Add, sub: SIMD.f32x4Sub, mul: SIMD.f32x4Mul, div: SIMD.f32x4Div, sqrt: SIMD.f32x4Sqrt,
    pmin: SIMD.f32x4PMin, pmax: SIMD.f32x4PMax, eq: SIMD.f32x4Eq, lt: SIMD.f32x4Lt, gt: SIMD.f32x4Gt, ge: SIMD.f32x4Ge,
  },
  rounding: [SIMD.f32x4Nearest, SIMD.f32x4Floor, SIMD.f32x4Ceil, SIMD.f32x4Trunc],
  leastNormal: 0x0080_0000n,
  infinity: 0x7f80_0000n,
};

// biome-ignore format: a table
export const DOUBLE_TYPE: FloatType = {
  bytes: 8, type: 'f64', integer: 'i64', suffix: 'd', fromBits: 0xbf, toBits: 0xbd,
  compare: { eq: 0x61, lt: 0x63, gt: 0x64, le: 0x65, ge: 0x66 },
  scalar: {
    abs: 0x99, neg: 0x9a, ceil: 0x9b, floor: 0x9c, trunc: 0x9d, nearest: 0x9e,
    sqrt: 0x9f, add: 0xa0, sub: 0xa1, mul: 0xa2, div: 0xa3,
  },
  packed: {
    add: SIMD.f64x2Add, sub: SIMD.f64x2Sub, mul: SIMD.f64x2Mul, div: SIMD.f64x2Div, sqrt: SIMD.f64x2Sqrt,
    pmin: SIMD.f64x2PMin, pmax: SIMD.f64x2PMax, eq: SIMD.f64x2Eq, lt: SIMD.f64x2Lt, gt: SIMD.f64x2Gt, ge: SIMD.f64x2Ge,
  },
  rounding: [SIMD.f64x2Nearest, SIMD.f64x2Floor, SIMD.f64x2Ceil, SIMD.f64x2Trunc],
  leastNormal: 0x0010_0000_0000_0000n,
  infinity: 0x7ff0_0000_0000_0000n,
};

export const FLOAT_TYPES: readonly FloatType[] = [SINGLE_TYPE, DOUBLE_TYPE];

/** All exceptions masked, PE already set, round to nearest, neither FTZ nor DAZ: MXCSR bits 15:5. */
const PLAIN_ENVIRONMENT = 0x1fa0;
const PE = 0x20;
const PM = 0x1000;
const RC = 0x6000;

/** Nothing can be reported that is not reported already: an inexact result of normal numbers leaves no trace. */
export function plainEnvironment(m: MeaningBuilder): V {
  return m.eq(m.and(m.state32(L.MXCSR), m.i32(0xffe0)), m.i32(PLAIN_ENVIRONMENT));
}

export const precisionMasked = (m: MeaningBuilder): V => m.ne(m.and(m.state32(L.MXCSR), m.i32(PM)), m.i32(0));
export const roundsToNearest = (m: MeaningBuilder): V => m.eqz(m.and(m.state32(L.MXCSR), m.i32(RC)));
/** RC of MXCSR as a number. */
export const roundingControl = (m: MeaningBuilder): V => m.shrU(m.and(m.state32(L.MXCSR), m.i32(RC)), m.i32(13));

/** Set PE if the i32 condition holds; the caller has seen that it is masked. */
export function reportPrecision(m: MeaningBuilder, inexact: V): void {
  m.if(inexact, () => m.setState32(L.MXCSR, m.or(m.state32(L.MXCSR), m.i32(PE))));
}

export const bitsOf = (m: MeaningBuilder, t: FloatType, value: V): V => m.raw(t.toBits, [value], t.integer);

/** A float constant. */
export function floatConstant(m: MeaningBuilder, t: FloatType, bits: bigint): V {
  return m.raw(t.fromBits, [m.const(t.integer, bits)], t.type);
}

const compare = (m: MeaningBuilder, t: FloatType, name: keyof FloatType['compare'], a: V, b: V): V =>
  m.raw(t.compare[name], [a, b], 'i32');

const magnitude = (m: MeaningBuilder, t: FloatType, value: V): V => m.raw(t.scalar.abs, [value], t.type);

/** Zero or normal or infinite: neither denormal nor NaN. */
export function isOrdinary(m: MeaningBuilder, t: FloatType, value: V): V {
  const normal = compare(m, t, 'ge', magnitude(m, t, value), floatConstant(m, t, t.leastNormal));
  return m.or(normal, compare(m, t, 'eq', value, floatConstant(m, t, 0n)));
}

export function isBounded(m: MeaningBuilder, t: FloatType, value: V): V {
  return compare(m, t, 'lt', magnitude(m, t, value), floatConstant(m, t, t.infinity));
}

/** Above the least normal number: certainly not the outcome of an underflow. */
export function isAboveTiny(m: MeaningBuilder, t: FloatType, value: V): V {
  return compare(m, t, 'gt', magnitude(m, t, value), floatConstant(m, t, t.leastNormal));
}

export const isZero = (m: MeaningBuilder, t: FloatType, value: V): V =>
  compare(m, t, 'eq', value, floatConstant(m, t, 0n));

// The same for vectors: masks of lanes.

function lanesOf(m: MeaningBuilder, t: FloatType, bits: bigint): V {
  return t.bytes === 8 ? vector64(m, bits) : vector32(m, new Array<number>(4).fill(Number(bits)));
}

function magnitudes(m: MeaningBuilder, t: FloatType, value: V): V {
  return m.simd(SIMD.and, [value, lanesOf(m, t, t.bytes === 8 ? 0x7fff_ffff_ffff_ffffn : 0x7fff_ffffn)]);
}

export function ordinaryLanes(m: MeaningBuilder, t: FloatType, value: V): V {
  const normal = m.simd(t.packed.ge, [magnitudes(m, t, value), lanesOf(m, t, t.leastNormal)]);
  return m.simd(SIMD.or, [normal, zeroLanes(m, t, value)]);
}

export const finiteLanes = (m: MeaningBuilder, t: FloatType, value: V): V =>
  m.simd(t.packed.lt, [magnitudes(m, t, value), lanesOf(m, t, t.infinity)]);

export const aboveTinyLanes = (m: MeaningBuilder, t: FloatType, value: V): V =>
  m.simd(t.packed.gt, [magnitudes(m, t, value), lanesOf(m, t, t.leastNormal)]);

export const zeroLanes = (m: MeaningBuilder, t: FloatType, value: V): V => m.simd(t.packed.eq, [value, zeroVector(m)]);

export const bothMasks = (m: MeaningBuilder, a: V, b: V): V => m.simd(SIMD.and, [a, b]);
export const eitherMask = (m: MeaningBuilder, a: V, b: V): V => m.simd(SIMD.or, [a, b]);
export const everyLane = (m: MeaningBuilder, mask: V): V => m.simd(SIMD.i32x4AllTrue, [mask], 'i32');
