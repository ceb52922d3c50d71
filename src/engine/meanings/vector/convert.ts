import type { MeaningBuilder, Operand, Size, V } from '../../emit/builder.ts';
import type { Meaning } from '../meaning.ts';
import { scalarForms, writeSlowLow } from './float.ts';
import {
  aboveTinyLanes,
  bitsOf,
  bothMasks,
  DOUBLE_TYPE,
  eitherMask,
  everyLane,
  finiteLanes,
  FLOAT_TYPES,
  floatConstant,
  type FloatType,
  isAboveTiny,
  isBounded,
  isOrdinary,
  isZero,
  ordinaryLanes,
  plainEnvironment,
  precisionMasked,
  reportPrecision,
  roundingControl,
  roundsToNearest,
  SINGLE_TYPE,
  zeroLanes,
} from './float-values.ts';
import {
  checkX87,
  enterMmx,
  joinHalves,
  lowHalf,
  lowVector,
  readAligned,
  readLow,
  vector32,
  vector64,
  writeMmx,
  zeroVector,
} from './operands.ts';
import { SIMD } from './simd.ts';
import { SLOW, slowly, slowVector } from './slow.ts';

const CONVERT_I32 = { f32: 0xb2, f64: 0xb7 } as const;
const CONVERT_I64 = { f32: 0xb4, f64: 0xb9 } as const;
const TRUNCATE_SATURATED = {
  i32: { f32: [0xfc, 0], f64: [0xfc, 2] },
  i64: { f32: [0xfc, 4], f64: [0xfc, 6] },
} as const;
const DEMOTE = 0xb6;
const PROMOTE = 0xbb;

/** CVTSI2SS and CVTSI2SD: exact for integers no longer than the significand. */
function fromInteger(t: FloatType, size: 4 | 8): Meaning {
  const name = `cvtsi2s${t.suffix}`;
  return {
    name,
    operands: ['r', 'rm'],
    sizes: [[16, size]],
    emit: (m, [to, from]) => {
      const value = from.read();
      const result = m.raw((size === 8 ? CONVERT_I64 : CONVERT_I32)[t.type], [value], t.type);
      if (size === 4 && t.bytes === 8) {
        m.store(to.address(), bitsOf(m, t, result), 8);
        m.next();
        return;
      }
      const limit = t.bytes === 8 ? 1n << 53n : 1n << 24n;
      const exact = m.leU(m.add(value, m.num(size, limit)), m.num(size, 2n * limit));
      m.if(m.or(exact, plainEnvironment(m)), () => {
        m.store(to.address(), bitsOf(m, t, result), t.bytes);
        m.returnNext();
      });
      slowly(m, `${name}${8 * size}`, value, value);
      writeSlowLow(m, to, t.bytes);
      m.next();
    },
  };
}

/** Bits of 2^31 and 2^63. */
const LIMITS = { f32: { 4: 0x4f00_0000n, 8: 0x5f00_0000n }, f64: { 4: 0x41e0n << 48n, 8: 0x43e0n << 48n } } as const;

/** CVT(T)SS2SI and CVT(T)SD2SI: only an inexact result is reported while the value fits. */
function toInteger(t: FloatType, size: 4 | 8, truncate: boolean): Meaning[] {
  const name = `cvt${truncate ? 't' : ''}s${t.suffix}2si`;
  const integer = size === 8 ? 'i64' : 'i32';
  const emit: Meaning['emit'] = (m, [to, from]) => {
    const bits = readLow(m, from, t.bytes);
    const value = m.raw(t.fromBits, [bits], t.type);
    const rounded = m.raw(truncate ? t.scalar.trunc : t.scalar.nearest, [value], t.type);
    const limit = floatConstant(m, t, LIMITS[t.type][size]);
    const low = m.raw(t.scalar.neg, [limit], t.type);
    const fits = m.and(m.raw(t.compare.ge, [rounded, low], 'i32'), m.raw(t.compare.lt, [rounded, limit], 'i32'));
    const inexact = m.raw(t.compare.eq + 1, [rounded, value], 'i32');
    const mode = truncate ? m.i32(1) : roundsToNearest(m);
    const quiet = m.or(m.eqz(inexact), m.and(precisionMasked(m), mode));
    m.if(m.and(m.and(fits, isOrdinary(m, t, value)), quiet), () => {
      reportPrecision(m, inexact);
      to.write(m.raw(TRUNCATE_SATURATED[integer][t.type], [rounded], integer));
      m.returnNext();
    });
    slowly(m, `${name}${8 * size}`, bits, bits);
    to.write(m.load(integer, m.i32(SLOW.result), size));
    m.next();
  };
  return [
    { name, operands: ['r', 'r'], sizes: [[size, 16]], emit },
    { name, operands: ['r', 'm'], sizes: [[size, t.bytes]], emit },
  ];
}

const widenScalar: Meaning['emit'] = (m, [to, from]) => {
  const bits = readLow(m, from, 4);
  const value = m.raw(SINGLE_TYPE.fromBits, [bits], 'f32');
  m.if(isOrdinary(m, SINGLE_TYPE, value), () => {
    m.store(to.address(), bitsOf(m, DOUBLE_TYPE, m.raw(PROMOTE, [value], 'f64')), 8);
    m.returnNext();
  });
  slowly(m, 'cvtss2sd', bits, bits);
  writeSlowLow(m, to, 8);
  m.next();
};

const narrowScalar: Meaning['emit'] = (m, [to, from]) => {
  const bits = readLow(m, from, 8);
  const value = m.raw(DOUBLE_TYPE.fromBits, [bits], 'f64');
  const result = m.raw(DEMOTE, [value], 'f32');
  const normal = m.and(isBounded(m, SINGLE_TYPE, result), isAboveTiny(m, SINGLE_TYPE, result));
  const good = m.or(normal, isZero(m, DOUBLE_TYPE, value));
  m.if(m.and(good, plainEnvironment(m)), () => {
    m.store(to.address(), bitsOf(m, SINGLE_TYPE, result), 4);
    m.returnNext();
  });
  slowly(m, 'cvtsd2ss', bits, bits);
  writeSlowLow(m, to, 4);
  m.next();
};

/** A packed conversion: where the fast result holds, and the result. */
type Conversion = (m: MeaningBuilder, value: V) => { readonly plain: V; readonly fast: V };

const widenPacked: Conversion = (m, value) => {
  const low = joinHalves(m, value, zeroVector(m));
  return { plain: everyLane(m, ordinaryLanes(m, SINGLE_TYPE, low)), fast: m.simd(SIMD.promote, [low]) };
};

const narrowPacked: Conversion = (m, value) => {
  const fast = m.simd(SIMD.demote, [value]);
  // The upper lanes of the result are zero: look at the lower two only.
  const both = joinHalves(m, fast, fast);
  const normal = bothMasks(m, finiteLanes(m, SINGLE_TYPE, both), aboveTinyLanes(m, SINGLE_TYPE, both));
  const zero = m.simd(SIMD.shuffle, [zeroLanes(m, DOUBLE_TYPE, value), normal], 'v128', PAIR_LANES);
  return { plain: m.and(everyLane(m, eitherMask(m, normal, zero)), plainEnvironment(m)), fast };
};
const PAIR_LANES = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];

const integersToSingles: Conversion = (m, value) => {
  const limit = vector32(m, new Array<number>(4).fill(1 << 24));
  const big = m.simd(SIMD.i32x4GtS, [m.simd(SIMD.i32x4Abs, [value]), limit]);
  // The absolute value of the least integer stays negative.
  const least = m.simd(SIMD.i32x4Eq, [value, vector32(m, new Array<number>(4).fill(0x80000000 | 0))]);
  const powers = m.eqz(m.simd(SIMD.anyTrue, [m.simd(SIMD.andNot, [big, least])], 'i32'));
  return { plain: m.or(powers, plainEnvironment(m)), fast: m.simd(SIMD.f32x4ConvertI32, [value]) };
};

const singlesToIntegers =
  (truncate: boolean): Conversion =>
  (m, value) => {
    const t = SINGLE_TYPE;
    const rounded = m.simd(truncate ? SIMD.f32x4Trunc : SIMD.f32x4Nearest, [value]);
    const limit = vector32(m, new Array<number>(4).fill(0x4f000000));
    const magnitude = m.simd(SIMD.and, [rounded, vector32(m, new Array<number>(4).fill(0x7fffffff))]);
    const fits = bothMasks(m, m.simd(t.packed.lt, [magnitude, limit]), ordinaryLanes(m, t, value));
    const exact = everyLane(m, m.simd(t.packed.eq, [rounded, value]));
    const plain = m.and(everyLane(m, fits), m.or(exact, plainEnvironment(m)));
    return { plain, fast: m.simd(SIMD.i32x4TruncF32, [rounded]) };
  };

const doublesToIntegers =
  (truncate: boolean): Conversion =>
  (m, value) => {
    const t = DOUBLE_TYPE;
    const rounded = m.simd(truncate ? SIMD.f64x2Trunc : SIMD.f64x2Nearest, [value]);
    const magnitude = m.simd(SIMD.and, [rounded, vector64(m, 0x7fff_ffff_ffff_ffffn)]);
    const small = m.simd(t.packed.lt, [magnitude, vector64(m, LIMITS.f64[4])]);
    const fits = bothMasks(m, small, ordinaryLanes(m, t, value));
    const exact = everyLane(m, m.simd(t.packed.eq, [rounded, value]));
    const plain = m.and(everyLane(m, fits), m.or(exact, plainEnvironment(m)));
    return { plain, fast: m.simd(SIMD.i32x4TruncF64, [rounded]) };
  };

const always: Conversion = (m, value) => ({ plain: m.i32(1), fast: m.simd(SIMD.f64x2ConvertI32, [value]) });

/** xmm, xmm/m128 (or m64 where only the low half is read). */
function packedForms(name: string, conversion: Conversion, memory: Size = 16): Meaning[] {
  const emit: Meaning['emit'] = (m, [to, from]) => {
    const value = readSource(m, from);
    const { plain, fast } = conversion(m, value);
    m.if(plain, () => {
      to.write(fast);
      m.returnNext();
    });
    slowly(m, name, value, value);
    to.write(slowVector(m));
    m.next();
  };
  return [
    { name, operands: ['r', 'r'], sizes: [[16, 16]], emit },
    { name, operands: ['r', 'm'], sizes: [[16, memory]], emit },
  ];
}

function readSource(m: MeaningBuilder, from: Operand): V {
  return from.size === 16 ? readAligned(m, from) : lowVector(m, from.read());
}

/** Conversions into an MM register: `slow` is the slow operation that does the same. */
function toMmx(name: string, conversion: Conversion, slow: string, memory: 8 | 16): Meaning[] {
  const emit: Meaning['emit'] = (m, [to, from]) => {
    checkX87(m);
    const source = readSource(m, from);
    const value = memory === 8 ? joinHalves(m, source, zeroVector(m)) : source;
    // A floating-point exception comes after the transition.
    enterMmx(m);
    const { plain, fast } = conversion(m, value);
    const result = m.variable('v128', fast);
    m.if(m.eqz(plain), () => {
      slowly(m, slow, value, value);
      m.set(result, slowVector(m));
    });
    writeMmx(m, to, lowHalf(m, m.get(result)));
    m.next();
  };
  return [
    { name, operands: ['r', 'r'], sizes: [[8, 16]], emit },
    { name, operands: ['r', 'm'], sizes: [[8, memory]], emit },
  ];
}

/** Two integers from an MM register, which MMX state begins with, or from memory. */
function readIntegers(m: MeaningBuilder, place: 'r' | 'm', from: Operand): V {
  if (place === 'r') checkX87(m);
  const value = lowVector(m, from.read());
  if (place === 'r') enterMmx(m);
  return value;
}

/** CVTPI2PS: two integers into the low half. A memory source touches no MM register, as the host processor has it. */
function mmxToSingles(place: 'r' | 'm'): Meaning {
  return {
    name: 'cvtpi2ps',
    operands: ['r', place],
    sizes: [[16, 8]],
    emit: (m, [to, from]) => {
      const value = readIntegers(m, place, from);
      const { plain, fast } = integersToSingles(m, value);
      const result = m.variable('v128', fast);
      m.if(m.eqz(plain), () => {
        slowly(m, 'cvtpi2ps', value, value);
        m.set(result, slowVector(m));
      });
      m.store(to.address(), lowHalf(m, m.get(result)), 8);
      m.next();
    },
  };
}

/** CVTPI2PD: a memory source touches no MM register. SDM Vol. 2A. */
function mmxToDoubles(place: 'r' | 'm'): Meaning {
  return {
    name: 'cvtpi2pd',
    operands: ['r', place],
    sizes: [[16, 8]],
    emit: (m, [to, from]) => {
      const value = readIntegers(m, place, from);
      to.write(m.simd(SIMD.f64x2ConvertI32, [value]));
      m.next();
    },
  };
}

/** Rounding mode of ROUND's immediate: bit 2 selects MXCSR.RC, else bits 1:0. */
function roundingMode(m: MeaningBuilder, immediate: V): V {
  return m.select(m.and(immediate, m.i32(4)), roundingControl(m), m.and(immediate, m.i32(3)));
}

/** The value rounded in mode 0..3. */
function roundedBy(m: MeaningBuilder, t: FloatType, mode: V, value: V): V {
  const [nearest, down, up, zero] = t.rounding.map((opcode) => m.simd(opcode, [value])) as [V, V, V, V];
  const is = (n: number): V => m.eq(mode, m.i32(n));
  return m.select(is(0), nearest, m.select(is(1), down, m.select(is(2), up, zero)));
}

/** ROUNDSS, ROUNDSD, ROUNDPS, ROUNDPD. Bit 3 of the immediate keeps PE down. SDM Vol. 2B. */
function round(t: FloatType, packed: boolean): Meaning[] {
  const name = `round${packed ? 'p' : 's'}${t.suffix}`;
  const emit: Meaning['emit'] = (m, [to, from, immediate]) => {
    const bits = packed ? readAligned(m, from) : readLow(m, from, t.bytes);
    const value = packed ? bits : m.simd(t.bytes === 8 ? SIMD.i64x2Splat : SIMD.i32x4Splat, [bits]);
    const control = immediate.read();
    const result = roundedBy(m, t, roundingMode(m, control), value);
    const inexact = m.eqz(everyLane(m, m.simd(t.packed.eq, [result, value])));
    const reported = m.and(inexact, m.eqz(m.and(control, m.i32(8))));
    const ordinary = bothMasks(m, ordinaryLanes(m, t, value), finiteLanes(m, t, value));
    m.if(m.and(everyLane(m, ordinary), m.or(m.eqz(reported), precisionMasked(m))), () => {
      reportPrecision(m, reported);
      if (packed) to.write(result);
      else {
        const lane = t.bytes === 8 ? SIMD.i64x2Lane : SIMD.i32x4Lane;
        m.store(to.address(), m.simd(lane, [result], t.integer, [0]), t.bytes);
      }
      m.returnNext();
    });
    slowly(m, name, bits, bits, control);
    if (packed) to.write(slowVector(m));
    else writeSlowLow(m, to, t.bytes);
    m.next();
  };
  if (packed) return [{ name, operands: ['r', 'rm', 'i'], sizes: [[16, 16, 1]], emit }];
  return [
    { name, operands: ['r', 'r', 'i'], sizes: [[16, 16, 1]], emit },
    { name, operands: ['r', 'm', 'i'], sizes: [[16, t.bytes, 1]], emit },
  ];
}

/** Conversions between integers, singles and doubles, and rounding. SDM Vol. 1, 10.4.3, 11.4.1.6, 12.10.5. */
// biome-ignore format: a table
export const VECTOR_CONVERSIONS: readonly Meaning[] = [
  ...FLOAT_TYPES.flatMap((t) => [
    fromInteger(t, 4), fromInteger(t, 8),
    ...toInteger(t, 4, false), ...toInteger(t, 8, false), ...toInteger(t, 4, true), ...toInteger(t, 8, true),
    ...round(t, false), ...round(t, true),
  ]),
  ...scalarForms(SINGLE_TYPE, widenScalar, 'cvtss2sd'),
  ...scalarForms(DOUBLE_TYPE, narrowScalar, 'cvtsd2ss'),
  ...packedForms('cvtps2pd', widenPacked, 8),
  ...packedForms('cvtpd2ps', narrowPacked),
  ...packedForms('cvtdq2ps', integersToSingles),
  ...packedForms('cvtps2dq', singlesToIntegers(false)), ...packedForms('cvttps2dq', singlesToIntegers(true)),
  ...packedForms('cvtpd2dq', doublesToIntegers(false)), ...packedForms('cvttpd2dq', doublesToIntegers(true)),
  ...packedForms('cvtdq2pd', always, 8),
  ...toMmx('cvtps2pi', singlesToIntegers(false), 'cvtps2pi', 8),
  ...toMmx('cvttps2pi', singlesToIntegers(true), 'cvttps2pi', 8),
  ...toMmx('cvtpd2pi', doublesToIntegers(false), 'cvtpd2dq', 16),
  ...toMmx('cvttpd2pi', doublesToIntegers(true), 'cvttpd2dq', 16),
  mmxToSingles('r'), mmxToSingles('m'), mmxToDoubles('r'), mmxToDoubles('m'),
];
