import type { MeaningBuilder, Operand, V } from '../../emit/builder.ts';
import type { Meaning } from '../meaning.ts';
import {
  aboveTinyLanes,
  bitsOf,
  bothMasks,
  eitherMask,
  everyLane,
  finiteLanes,
  FLOAT_TYPES,
  type FloatType,
  isAboveTiny,
  isBounded,
  isOrdinary,
  isZero,
  ordinaryLanes,
  plainEnvironment,
  SINGLE_TYPE,
  zeroLanes,
} from './float-values.ts';
import { readAligned, readLow, vector32, vector64 } from './operands.ts';
import { SIMD } from './simd.ts';
import { SLOW, slowly, slowVector } from './slow.ts';

type Arithmetic = 'add' | 'sub' | 'mul' | 'div';

/** Sizes of a scalar instruction: register or memory source. */
export const scalarForms = (t: FloatType, emit: Meaning['emit'], name: string): Meaning[] => [
  { name, operands: ['r', 'r'], sizes: [[16, 16]], emit },
  { name, operands: ['r', 'm'], sizes: [[16, t.bytes]], emit },
];

/** The low element of the scratch result goes into the destination. */
export function writeSlowLow(m: MeaningBuilder, to: Operand, bytes: 4 | 8): void {
  const value = m.load(bytes === 8 ? 'i64' : 'i32', m.i32(SLOW.result), bytes);
  m.store(to.address(), value, bytes);
}

/** Both operands ordinary, and the result as good as exact in everything but its last bit. */
function scalarIsPlain(m: MeaningBuilder, t: FloatType, operation: Arithmetic, a: V, b: V, result: V): V {
  const operands = m.and(isOrdinary(m, t, a), isOrdinary(m, t, b));
  const finite = m.and(m.and(isBounded(m, t, a), isBounded(m, t, b)), isBounded(m, t, result));
  const ready = m.and(m.and(operands, finite), plainEnvironment(m));
  if (operation === 'add' || operation === 'sub') return ready;
  const exactZero = operation === 'mul' ? m.or(isZero(m, t, a), isZero(m, t, b)) : isZero(m, t, a);
  return m.and(ready, m.or(isAboveTiny(m, t, result), exactZero));
}

function scalarArithmetic(t: FloatType, operation: Arithmetic): Meaning[] {
  const name = `${operation}s${t.suffix}`;
  const emit: Meaning['emit'] = (m, [to, from]) => {
    const bBits = readLow(m, from, t.bytes);
    const aBits = readLow(m, to, t.bytes);
    const b = m.raw(t.fromBits, [bBits], t.type);
    const a = m.raw(t.fromBits, [aBits], t.type);
    const result = m.raw(t.scalar[operation], [a, b], t.type);
    m.if(scalarIsPlain(m, t, operation, a, b, result), () => {
      m.store(to.address(), bitsOf(m, t, result), t.bytes);
      m.returnNext();
    });
    slowly(m, name, aBits, bBits);
    writeSlowLow(m, to, t.bytes);
    m.next();
  };
  return scalarForms(t, emit, name);
}

function packedIsPlain(m: MeaningBuilder, t: FloatType, operation: Arithmetic, a: V, b: V, result: V): V {
  let good = bothMasks(m, ordinaryLanes(m, t, a), ordinaryLanes(m, t, b));
  good = bothMasks(m, good, bothMasks(m, finiteLanes(m, t, a), finiteLanes(m, t, b)));
  good = bothMasks(m, good, finiteLanes(m, t, result));
  if (operation === 'mul' || operation === 'div') {
    const zero = zeroLanes(m, t, a);
    const exactZero = operation === 'mul' ? eitherMask(m, zero, zeroLanes(m, t, b)) : zero;
    good = bothMasks(m, good, eitherMask(m, aboveTinyLanes(m, t, result), exactZero));
  }
  return m.and(everyLane(m, good), plainEnvironment(m));
}

/** The fast result if nothing needs reporting, else the slow one. */
function choose(m: MeaningBuilder, to: Operand, plain: V, fast: V, name: string, a: V, b: V, immediate?: V): void {
  m.if(plain, () => {
    to.write(fast);
    m.returnNext();
  });
  slowly(m, name, a, b, immediate);
  to.write(slowVector(m));
  m.next();
}

function packed(name: string, emit: (m: MeaningBuilder, to: Operand, a: V, b: V) => void): Meaning {
  return {
    name,
    operands: ['r', 'rm'],
    sizes: [[16, 16]],
    emit: (m, [to, from]) => {
      const b = readAligned(m, from);
      emit(m, to, to.read(), b);
    },
  };
}

function packedArithmetic(t: FloatType, operation: Arithmetic): Meaning {
  const name = `${operation}p${t.suffix}`;
  return packed(name, (m, to, a, b) => {
    const result = m.simd(t.packed[operation], [a, b]);
    choose(m, to, packedIsPlain(m, t, operation, a, b, result), result, name, a, b);
  });
}

const EVEN_SINGLES = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const ODD_SINGLES = EVEN_SINGLES.map((byte) => byte + 4);
const EVEN_DOUBLES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const ODD_DOUBLES = EVEN_DOUBLES.map((byte) => byte + 8);

/** HADD and HSUB: the even elements of both operands with the odd ones. */
function horizontal(t: FloatType, operation: 'add' | 'sub'): Meaning {
  const [even, odd] = t.bytes === 4 ? [EVEN_SINGLES, ODD_SINGLES] : [EVEN_DOUBLES, ODD_DOUBLES];
  return packed(`h${operation}p${t.suffix}`, (m, to, a, b) => {
    const x = m.simd(SIMD.shuffle, [a, b], 'v128', even);
    const y = m.simd(SIMD.shuffle, [a, b], 'v128', odd);
    const result = m.simd(t.packed[operation], [x, y]);
    choose(m, to, packedIsPlain(m, t, operation, x, y, result), result, `${operation}p${t.suffix}`, x, y);
  });
}

/** ADDSUB: even elements are subtracted, odd ones added. */
function alternate(t: FloatType): Meaning {
  const name = `addsubp${t.suffix}`;
  return packed(name, (m, to, a, b) => {
    const odd = t.bytes === 8 ? vector32(m, [0, 0, -1, -1]) : vector32(m, [0, -1, 0, -1]);
    const both = [m.simd(t.packed.add, [a, b]), m.simd(t.packed.sub, [a, b]), odd];
    const result = m.simd(SIMD.select, both);
    choose(m, to, packedIsPlain(m, t, 'add', a, b, result), result, name, a, b);
  });
}

function squareRoot(t: FloatType): Meaning[] {
  const scalar: Meaning['emit'] = (m, [to, from]) => {
    const bits = readLow(m, from, t.bytes);
    const value = m.raw(t.fromBits, [bits], t.type);
    const notNegative = m.raw(t.compare.ge, [value, m.raw(t.fromBits, [m.const(t.integer, 0)], t.type)], 'i32');
    const good = m.and(m.and(isOrdinary(m, t, value), isBounded(m, t, value)), m.and(notNegative, plainEnvironment(m)));
    m.if(good, () => {
      m.store(to.address(), bitsOf(m, t, m.raw(t.scalar.sqrt, [value], t.type)), t.bytes);
      m.returnNext();
    });
    slowly(m, `sqrts${t.suffix}`, bits, bits);
    writeSlowLow(m, to, t.bytes);
    m.next();
  };
  const name = `sqrtp${t.suffix}`;
  const vector = packed(name, (m, to, _, b) => {
    const notNegative = m.simd(t.packed.ge, [b, vector64(m, 0n)]);
    const lanes = bothMasks(m, bothMasks(m, ordinaryLanes(m, t, b), finiteLanes(m, t, b)), notNegative);
    choose(m, to, m.and(everyLane(m, lanes), plainEnvironment(m)), m.simd(t.packed.sqrt, [b]), name, b, b);
  });
  return [...scalarForms(t, scalar, `sqrts${t.suffix}`), vector];
}

/** MIN and MAX keep the second operand unless the first is really less (or greater). SDM Vol. 2, MINPS. */
function select(t: FloatType, name: 'min' | 'max'): Meaning[] {
  const scalar: Meaning['emit'] = (m, [to, from]) => {
    const bBits = readLow(m, from, t.bytes);
    const aBits = readLow(m, to, t.bytes);
    const b = m.raw(t.fromBits, [bBits], t.type);
    const a = m.raw(t.fromBits, [aBits], t.type);
    m.if(m.and(isOrdinary(m, t, a), isOrdinary(m, t, b)), () => {
      const first = m.raw(name === 'min' ? t.compare.lt : t.compare.gt, [a, b], 'i32');
      m.store(to.address(), m.select(first, aBits, bBits), t.bytes);
      m.returnNext();
    });
    slowly(m, `${name}s${t.suffix}`, aBits, bBits);
    writeSlowLow(m, to, t.bytes);
    m.next();
  };
  const packedName = `${name}p${t.suffix}`;
  const vector = packed(packedName, (m, to, a, b) => {
    const ordinary = bothMasks(m, ordinaryLanes(m, t, a), ordinaryLanes(m, t, b));
    // pmin(x, y) is y < x ? y : x.
    const result = m.simd(name === 'min' ? t.packed.pmin : t.packed.pmax, [b, a]);
    choose(m, to, everyLane(m, ordinary), result, packedName, a, b);
  });
  return [...scalarForms(t, scalar, `${name}s${t.suffix}`), vector];
}

/** Ordered comparison by the immediate's predicate: EQ LT LE UNORD NEQ NLT NLE ORD. SDM Vol. 2, Table 3-1. */
function predicateMask(m: MeaningBuilder, t: FloatType, a: V, b: V, immediate: V): V {
  const all = (condition: V): V => m.simd(SIMD.i32x4Splat, [m.neg(condition)]);
  const equal = m.eqz(m.and(immediate, m.i32(1)));
  const less = m.shrU(m.and(m.add(immediate, m.i32(1)), m.i32(2)), m.i32(1));
  const invert = m.and(m.shrU(immediate, m.i32(2)), m.i32(1));
  const holds = m.simd(SIMD.or, [
    m.simd(SIMD.and, [m.simd(t.packed.eq, [a, b]), all(equal)]),
    m.simd(SIMD.and, [m.simd(t.packed.lt, [a, b]), all(less)]),
  ]);
  return m.simd(SIMD.xor, [holds, all(invert)]);
}

function compareMasks(t: FloatType): Meaning[] {
  const scalar: Meaning['emit'] = (m, [to, from, immediate]) => {
    const bBits = readLow(m, from, t.bytes);
    const aBits = readLow(m, to, t.bytes);
    const predicate = immediate.read();
    const splat = t.bytes === 8 ? SIMD.i64x2Splat : SIMD.i32x4Splat;
    const [a, b] = [m.simd(splat, [aBits]), m.simd(splat, [bBits])];
    const ordinary = bothMasks(m, ordinaryLanes(m, t, a), ordinaryLanes(m, t, b));
    m.if(everyLane(m, ordinary), () => {
      const mask = predicateMask(m, t, a, b, predicate);
      const low = m.simd(t.bytes === 8 ? SIMD.i64x2Lane : SIMD.i32x4Lane, [mask], t.integer, [0]);
      m.store(to.address(), low, t.bytes);
      m.returnNext();
    });
    slowly(m, `cmps${t.suffix}`, aBits, bBits, predicate);
    writeSlowLow(m, to, t.bytes);
    m.next();
  };
  const name = `cmps${t.suffix}`;
  const vector: Meaning['emit'] = (m, [to, from, immediate]) => {
    const b = readAligned(m, from);
    const a = to.read();
    const predicate = immediate.read();
    const ordinary = bothMasks(m, ordinaryLanes(m, t, a), ordinaryLanes(m, t, b));
    const mask = predicateMask(m, t, a, b, predicate);
    choose(m, to, everyLane(m, ordinary), mask, `cmpp${t.suffix}`, a, b, predicate);
  };
  return [
    { name, operands: ['r', 'r', 'i'], sizes: [[16, 16, 1]], emit: scalar },
    { name, operands: ['r', 'm', 'i'], sizes: [[16, t.bytes, 1]], emit: scalar },
    { name: `cmpp${t.suffix}`, operands: ['r', 'rm', 'i'], sizes: [[16, 16, 1]], emit: vector },
  ];
}

/** COMIS and UCOMIS: ZF PF CF. */
function compareFlags(t: FloatType, name: string): Meaning[] {
  const emit: Meaning['emit'] = (m, [left, right]) => {
    const bBits = readLow(m, right, t.bytes);
    const aBits = readLow(m, left, t.bytes);
    const b = m.raw(t.fromBits, [bBits], t.type);
    const a = m.raw(t.fromBits, [aBits], t.type);
    const zero = m.i32(0);
    m.if(m.and(isOrdinary(m, t, a), isOrdinary(m, t, b)), () => {
      const cf = m.raw(t.compare.lt, [a, b], 'i32');
      const zf = m.raw(t.compare.eq, [a, b], 'i32');
      m.setStatusFlags({ cf, pf: zero, af: zero, zf, sf: zero, of: zero });
      m.returnNext();
    });
    slowly(m, name, aBits, bBits);
    // -1, 0, 1, or 2 for unordered.
    const order = m.load('i32', m.i32(SLOW.result), 4);
    const unordered = m.eq(order, m.i32(2));
    const cf = m.or(m.eq(order, m.i32(-1)), unordered);
    m.setStatusFlags({ cf, pf: unordered, af: zero, zf: m.or(m.eqz(order), unordered), sf: zero, of: zero });
    m.next();
  };
  return scalarForms(t, emit, name);
}

/** Always in TypeScript: approximations and dot products. */
const approximations: Meaning[] = ['rcp', 'rsqrt'].flatMap((name) => [
  ...scalarForms(
    SINGLE_TYPE,
    (m, [to, from]) => {
      const bits = readLow(m, from, 4);
      slowly(m, `${name}ss`, bits, bits);
      writeSlowLow(m, to, 4);
      m.next();
    },
    `${name}ss`,
  ),
  packed(`${name}ps`, (m, to, _, b) => {
    slowly(m, `${name}ps`, b, b);
    to.write(slowVector(m));
    m.next();
  }),
]);

const dotProducts: Meaning[] = ['dpps', 'dppd'].map((name) => ({
  name,
  operands: ['r', 'rm', 'i'],
  sizes: [[16, 16, 1]],
  emit: (m, [to, from, immediate]) => {
    const b = readAligned(m, from);
    slowly(m, name, to.read(), b, immediate.read());
    to.write(slowVector(m));
    m.next();
  },
}));

/** Floating-point arithmetic and comparisons. SDM Vol. 1, 10.4.1.2, 10.4.1.4, 11.4.1.2, 12.3.3, 12.10.2. */
export const VECTOR_FLOAT: readonly Meaning[] = [
  ...FLOAT_TYPES.flatMap((t) => [
    ...(['add', 'sub', 'mul', 'div'] as const).flatMap((operation) => [
      ...scalarArithmetic(t, operation),
      packedArithmetic(t, operation),
    ]),
    horizontal(t, 'add'),
    horizontal(t, 'sub'),
    alternate(t),
    ...squareRoot(t),
    ...select(t, 'min'),
    ...select(t, 'max'),
    ...compareMasks(t),
    ...compareFlags(t, `comis${t.suffix}`),
    ...compareFlags(t, `ucomis${t.suffix}`),
  ]),
  ...approximations,
  ...dotProducts,
];
