import type { MeaningBuilder, V } from '../../emit/builder.ts';
import type { Meaning } from '../meaning.ts';
import { onBoth, onXmm, plain, readAligned, vector16, vector64, type VectorOperation } from './operands.ts';
import { SIMD } from './simd.ts';

type Row = readonly [name: string, opcode: number];

/** In MMX and SSE2 (or SSSE3) alike. */
// biome-ignore format: a table
const BOTH: readonly Row[] = [
  ['paddb', SIMD.i8x16Add], ['paddw', SIMD.i16x8Add], ['paddd', SIMD.i32x4Add], ['paddq', SIMD.i64x2Add],
  ['psubb', SIMD.i8x16Sub], ['psubw', SIMD.i16x8Sub], ['psubd', SIMD.i32x4Sub], ['psubq', SIMD.i64x2Sub],
  ['paddsb', SIMD.i8x16AddSatS], ['paddsw', SIMD.i16x8AddSatS],
  ['paddusb', SIMD.i8x16AddSatU], ['paddusw', SIMD.i16x8AddSatU],
  ['psubsb', SIMD.i8x16SubSatS], ['psubsw', SIMD.i16x8SubSatS],
  ['psubusb', SIMD.i8x16SubSatU], ['psubusw', SIMD.i16x8SubSatU],
  ['pand', SIMD.and], ['por', SIMD.or], ['pxor', SIMD.xor],
  ['pcmpeqb', SIMD.i8x16Eq], ['pcmpeqw', SIMD.i16x8Eq], ['pcmpeqd', SIMD.i32x4Eq],
  ['pcmpgtb', SIMD.i8x16GtS], ['pcmpgtw', SIMD.i16x8GtS], ['pcmpgtd', SIMD.i32x4GtS],
  ['pavgb', SIMD.i8x16Avg], ['pavgw', SIMD.i16x8Avg],
  ['pminub', SIMD.i8x16MinU], ['pmaxub', SIMD.i8x16MaxU], ['pminsw', SIMD.i16x8MinS], ['pmaxsw', SIMD.i16x8MaxS],
  ['pmullw', SIMD.i16x8Mul], ['pmaddwd', SIMD.i32x4Dot],
];

/** XMM registers only. */
// biome-ignore format: a table
const XMM: readonly Row[] = [
  ['andps', SIMD.and], ['andpd', SIMD.and], ['orps', SIMD.or], ['orpd', SIMD.or],
  ['xorps', SIMD.xor], ['xorpd', SIMD.xor],
  ['pcmpeqq', SIMD.i64x2Eq], ['pcmpgtq', SIMD.i64x2GtS], ['pmulld', SIMD.i32x4Mul],
  ['pminsb', SIMD.i8x16MinS], ['pmaxsb', SIMD.i8x16MaxS], ['pminuw', SIMD.i16x8MinU], ['pmaxuw', SIMD.i16x8MaxU],
  ['pminsd', SIMD.i32x4MinS], ['pmaxsd', SIMD.i32x4MaxS], ['pminud', SIMD.i32x4MinU], ['pmaxud', SIMD.i32x4MaxU],
];

/** ANDN complements the first operand; WebAssembly's andnot the second. */
const andNot: VectorOperation = (m, a, b) => m.simd(SIMD.andNot, [b, a]);

const shift = (m: MeaningBuilder, opcode: number, value: V, count: number): V => m.simd(opcode, [value, m.i32(count)]);

/** Upper halves of 16-bit products. */
const multiplyHigh =
  (signed: boolean): VectorOperation =>
  (m, a, b) => {
    const low = m.simd(signed ? SIMD.i32x4MulLowS : SIMD.i32x4MulLowU, [a, b]);
    const high = m.simd(signed ? SIMD.i32x4MulHighS : SIMD.i32x4MulHighU, [a, b]);
    const upper = [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31];
    return m.simd(SIMD.shuffle, [low, high], 'v128', upper);
  };

/** PMULHRSW: as Q15 multiplication, but -1 * -1 wraps instead of saturating. */
const multiplyRounded: VectorOperation = (m, a, b) => {
  const lowest = vector16(m, new Array<number>(8).fill(0x8000));
  const both = m.simd(SIMD.and, [m.simd(SIMD.i16x8Eq, [a, lowest]), m.simd(SIMD.i16x8Eq, [b, lowest])]);
  return m.simd(SIMD.xor, [m.simd(SIMD.i16x8Q15, [a, b]), both]);
};

/** PMADDUBSW: unsigned bytes of the destination times signed bytes of the source, pairs added with saturation. */
const multiplyAddBytes: VectorOperation = (m, a, b) => {
  const lowBytes = vector16(m, new Array<number>(8).fill(0x00ff));
  const even = m.simd(SIMD.i16x8Mul, [
    m.simd(SIMD.and, [a, lowBytes]),
    shift(m, SIMD.i16x8ShrS, shift(m, SIMD.i16x8Shl, b, 8), 8),
  ]);
  const odd = m.simd(SIMD.i16x8Mul, [shift(m, SIMD.i16x8ShrU, a, 8), shift(m, SIMD.i16x8ShrS, b, 8)]);
  return m.simd(SIMD.i16x8AddSatS, [even, odd]);
};

const multiplyUnsigned: VectorOperation = (m, a, b) => {
  const mask = vector64(m, 0xffff_ffffn);
  return m.simd(SIMD.i64x2Mul, [m.simd(SIMD.and, [a, mask]), m.simd(SIMD.and, [b, mask])]);
};

const multiplySigned: VectorOperation = (m, a, b) => {
  const extend = (v: V): V => shift(m, SIMD.i64x2ShrS, shift(m, SIMD.i64x2Shl, v, 32), 32);
  return m.simd(SIMD.i64x2Mul, [extend(a), extend(b)]);
};

const sumOfDifferences: VectorOperation = (m, a, b) => {
  const distance = m.simd(SIMD.or, [m.simd(SIMD.i8x16SubSatU, [a, b]), m.simd(SIMD.i8x16SubSatU, [b, a])]);
  const sums = m.simd(SIMD.i32x4PairsU, [m.simd(SIMD.i16x8PairsU, [distance])]);
  const low = m.simd(SIMD.and, [sums, vector64(m, 0xffff_ffffn)]);
  return m.simd(SIMD.i64x2Add, [low, shift(m, SIMD.i64x2ShrU, sums, 32)]);
};

/** PSIGN: negate where the source is negative, clear where it is zero. */
const sign =
  (negate: number, greater: number, equal: number): VectorOperation =>
  (m, a, b) => {
    const zero = vector64(m, 0n);
    const signed = m.simd(SIMD.select, [m.simd(negate, [a]), a, m.simd(greater, [zero, b])]);
    return m.simd(SIMD.andNot, [signed, m.simd(equal, [b, zero])]);
  };

const absolute =
  (opcode: number): VectorOperation =>
  (m, _, b) =>
    m.simd(opcode, [b]);

/** PTEST. SDM Vol. 2B. */
const test: Meaning = {
  name: 'ptest',
  operands: ['r', 'rm'],
  sizes: [[16, 16]],
  emit: (m, [left, right]) => {
    const b = readAligned(m, right);
    const a = left.read();
    const none = (v: V): V => m.eqz(m.simd(SIMD.anyTrue, [v], 'i32'));
    const zero = m.i32(0);
    const zf = none(m.simd(SIMD.and, [a, b]));
    const cf = none(m.simd(SIMD.andNot, [b, a]));
    m.setStatusFlags({ cf, pf: zero, af: zero, zf, sf: zero, of: zero });
    m.next();
  },
};

const HALVES_EXCHANGED = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];
const LOW_PAIR_EXCHANGED = [4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15];

/** PHMINPOSUW: the smallest word and where it first is. */
const minimumPosition: VectorOperation = (m, _, b) => {
  const high = m.simd(SIMD.shuffle, [b, b], 'v128', HALVES_EXCHANGED);
  const keyed = (v: V, first: number): V => {
    const places = vector16(m, [first, 0, first + 1, 0, first + 2, 0, first + 3, 0]);
    return m.simd(SIMD.or, [shift(m, SIMD.i32x4Shl, m.simd(SIMD.i32x4ExtendLowU, [v]), 3), places]);
  };
  let least = m.simd(SIMD.i32x4MinU, [keyed(b, 0), keyed(high, 4)]);
  for (const order of [HALVES_EXCHANGED, LOW_PAIR_EXCHANGED]) {
    least = m.simd(SIMD.i32x4MinU, [least, m.simd(SIMD.shuffle, [least, least], 'v128', order)]);
  }
  const key = m.simd(SIMD.i32x4Lane, [least], 'i32', [0]);
  const word = m.or(m.shrU(key, m.i32(3)), m.shl(m.and(key, m.i32(7)), m.i32(16)));
  return m.simd(SIMD.i32x4Replace, [vector64(m, 0n), word], 'v128', [0]);
};

/** Integer arithmetic, comparisons and logic on vectors. SDM Vol. 1, 9.4, 11.4.2, 12.6, 12.10. */
export const VECTOR_INTEGER: readonly Meaning[] = [
  ...BOTH.flatMap(([name, opcode]) => onBoth(name, plain(opcode))),
  ...XMM.map(([name, opcode]) => onXmm(name, plain(opcode))),
  ...onBoth('pandn', andNot),
  onXmm('andnps', andNot),
  onXmm('andnpd', andNot),
  ...onBoth('pmulhw', multiplyHigh(true)),
  ...onBoth('pmulhuw', multiplyHigh(false)),
  ...onBoth('pmulhrsw', multiplyRounded),
  ...onBoth('pmaddubsw', multiplyAddBytes),
  ...onBoth('pmuludq', multiplyUnsigned),
  onXmm('pmuldq', multiplySigned),
  ...onBoth('psadbw', sumOfDifferences),
  ...onBoth('psignb', sign(SIMD.i8x16Neg, SIMD.i8x16GtS, SIMD.i8x16Eq)),
  ...onBoth('psignw', sign(SIMD.i16x8Neg, SIMD.i16x8GtS, SIMD.i16x8Eq)),
  ...onBoth('psignd', sign(SIMD.i32x4Neg, SIMD.i32x4GtS, SIMD.i32x4Eq)),
  ...onBoth('pabsb', absolute(SIMD.i8x16Abs)),
  ...onBoth('pabsw', absolute(SIMD.i16x8Abs)),
  ...onBoth('pabsd', absolute(SIMD.i32x4Abs)),
  onXmm('phminposuw', minimumPosition),
  test,
];
