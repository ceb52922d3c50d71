import type { MeaningBuilder, Operand, Size, V } from '../../emit/builder.ts';
import * as L from '../../state/layout.ts';
import type { Meaning, Place } from '../meaning.ts';
import {
  checkX87,
  enterMmx,
  joinHalves,
  lowHalf,
  lowVector,
  onJoined,
  onMmx,
  onXmm,
  plain,
  readAligned,
  readLow,
  vector16,
  vector32,
  vector64,
  type VectorOperation,
  writeMmx,
} from './operands.ts';
import { byteShifted, clamped } from './shifts.ts';
import { SIMD } from './simd.ts';

/** Byte order that takes lanes of `width` bytes; lanes of the second operand follow those of the first. */
function lanes(width: number, order: readonly number[]): number[] {
  return order.flatMap((lane) => Array.from({ length: width }, (_, i) => lane * width + i));
}

const arranged =
  (bytes: readonly number[]): VectorOperation =>
  (m, a, b) =>
    m.simd(SIMD.shuffle, [a, b], 'v128', bytes);

/** Lanes of the low (or high) halves of both operands in turn. */
function interleaved(width: number, high: boolean): number[] {
  const count = 16 / width;
  const first = high ? count / 2 : 0;
  const order = Array.from({ length: count }, (_, i) => first + (i >> 1) + (i & 1) * count);
  return lanes(width, order);
}

/** The MMX forms find both results in one interleaving of the low halves. */
function unpack(name: string, width: 1 | 2 | 4, high: boolean): Meaning[] {
  const inMmx: VectorOperation = (m, a, b) => {
    const all = arranged(interleaved(width, false))(m, a, b);
    return high ? m.simd(SIMD.shuffle, [all, all], 'v128', lanes(8, [1, 1])) : all;
  };
  return [onXmm(name, arranged(interleaved(width, high))), ...onMmx(name, inMmx, high ? 8 : 4)];
}

/** PHADD and PHSUB: the even lanes of both operands with the odd ones. */
function horizontal(name: string, width: 2 | 4, opcode: number): Meaning[] {
  const count = 16 / width;
  const every = (first: number): number[] =>
    lanes(
      width,
      Array.from({ length: count }, (_, i) => 2 * i + first),
    );
  return onJoined(name, (m, a, b) => m.simd(opcode, [arranged(every(0))(m, a, b), arranged(every(1))(m, a, b)]));
}

/** Lane numbers of 2 bits each, as bytes to take: `spread` and `base` per lane. */
function wordControl(m: MeaningBuilder, immediate: V, factors: readonly number[], base: readonly number[]): V {
  const spread = m.simd(SIMD.i16x8Mul, [m.simd(SIMD.i16x8Splat, [immediate]), vector16(m, factors)]);
  const chosen = m.simd(SIMD.and, [
    m.simd(SIMD.i16x8ShrU, [spread, m.i32(6)]),
    vector16(
      m,
      factors.map((factor) => (factor === 0 ? 0 : 3)),
    ),
  ]);
  const bytes = m.simd(SIMD.i16x8Mul, [chosen, vector16(m, new Array<number>(8).fill(0x0202))]);
  return m.simd(SIMD.i16x8Add, [bytes, vector16(m, base)]);
}

function doublewordControl(m: MeaningBuilder, immediate: V): V {
  const spread = m.simd(SIMD.i32x4Mul, [m.simd(SIMD.i32x4Splat, [immediate]), vector32(m, [64, 16, 4, 1])]);
  const chosen = m.simd(SIMD.and, [m.simd(SIMD.i32x4ShrU, [spread, m.i32(6)]), vector32(m, [3, 3, 3, 3])]);
  const bytes = m.simd(SIMD.i32x4Mul, [chosen, vector32(m, new Array<number>(4).fill(0x04040404))]);
  return m.simd(SIMD.i32x4Add, [bytes, vector32(m, new Array<number>(4).fill(0x03020100))]);
}

const LOW_WORDS = [0x0100, 0x0302, 0x0504, 0x0706];
const HIGH_WORDS = [0x0908, 0x0b0a, 0x0d0c, 0x0f0e];
const FACTORS = [64, 16, 4, 1];
const NOTHING = [0, 0, 0, 0];

const lowWordControl = (m: MeaningBuilder, immediate: V): V =>
  wordControl(m, immediate, [...FACTORS, ...NOTHING], [...new Array<number>(4).fill(0x0100), ...HIGH_WORDS]);
const highWordControl = (m: MeaningBuilder, immediate: V): V =>
  wordControl(m, immediate, [...NOTHING, ...FACTORS], [...LOW_WORDS, ...new Array<number>(4).fill(0x0908)]);

/** xmm, xmm/m128, imm8 that only looks at the source. */
function shuffle(name: string, control: (m: MeaningBuilder, immediate: V) => V): Meaning {
  return withImmediate(name, (m, _, b, immediate) => m.simd(SIMD.swizzle, [b, control(m, immediate.read())]));
}

type ImmediateOperation = (m: MeaningBuilder, a: V, b: V, immediate: Operand) => V;

function withImmediate(name: string, operation: ImmediateOperation): Meaning {
  return {
    name,
    operands: ['r', 'rm', 'i'],
    sizes: [[16, 16, 1]],
    emit: (m, [to, from, immediate]) => {
      const b = readAligned(m, from);
      to.write(operation(m, to.read(), b, immediate));
      m.next();
    },
  };
}

function mmxWithImmediate(name: string, operation: ImmediateOperation): Meaning {
  return {
    name,
    operands: ['r', 'rm', 'i'],
    sizes: [[8, 8, 1]],
    emit: (m, [to, from, immediate]) => {
      checkX87(m);
      const b = m.simd(SIMD.i64x2Splat, [from.read()]);
      const a = m.simd(SIMD.i64x2Splat, [to.read()]);
      const result = lowHalf(m, operation(m, a, b, immediate));
      enterMmx(m);
      writeMmx(m, to, result);
      m.next();
    },
  };
}

/** SHUFPS: the low lanes from the destination, the high ones from the source. */
const shufflePs: ImmediateOperation = (m, a, b, immediate) => {
  const control = doublewordControl(m, immediate.read());
  const halves = [m.simd(SIMD.swizzle, [a, control]), m.simd(SIMD.swizzle, [b, control])];
  return m.simd(SIMD.shuffle, halves, 'v128', lanes(8, [0, 3]));
};

const shufflePd: ImmediateOperation = (m, a, b, immediate) => {
  const bits = m.simd(SIMD.i64x2Splat, [m.extendU(immediate.read())]);
  const first = m.simd(SIMD.i64x2Mul, [bits, vector32(m, [2, 0, 1, 0])]);
  const chosen = m.simd(SIMD.and, [m.simd(SIMD.i64x2ShrU, [first, m.i32(1)]), vector64(m, 1n)]);
  const bytes = m.simd(SIMD.i64x2Mul, [chosen, vector64(m, 0x0808080808080808n)]);
  const control = m.simd(SIMD.i64x2Add, [bytes, vector64(m, 0x0706050403020100n)]);
  const halves = [m.simd(SIMD.swizzle, [a, control]), m.simd(SIMD.swizzle, [b, control])];
  return m.simd(SIMD.shuffle, halves, 'v128', lanes(8, [0, 3]));
};

/** All ones in the lanes whose bit of the immediate is set. */
function laneMask(m: MeaningBuilder, immediate: V, width: 2 | 4 | 8): V {
  if (width === 2) {
    const bits = [1, 2, 4, 8, 16, 32, 64, 128];
    const chosen = m.simd(SIMD.and, [m.simd(SIMD.i16x8Splat, [immediate]), vector16(m, bits)]);
    return m.simd(SIMD.i16x8Eq, [chosen, vector16(m, bits)]);
  }
  const bits = width === 4 ? [1, 2, 4, 8] : [1, 1, 2, 2];
  const chosen = m.simd(SIMD.and, [m.simd(SIMD.i32x4Splat, [immediate]), vector32(m, bits)]);
  return m.simd(SIMD.i32x4Eq, [chosen, vector32(m, bits)]);
}

const blend =
  (width: 2 | 4 | 8): ImmediateOperation =>
  (m, a, b, immediate) =>
    m.simd(SIMD.select, [b, a, laneMask(m, immediate.read(), width)]);

/** BLENDV: by the sign of the lanes of XMM0. */
const blendVariable =
  (shift: number, bits: number): VectorOperation =>
  (m, a, b) => {
    const mask = m.simd(shift, [m.loadVector(m.i32(L.XMM)), m.i32(bits)]);
    return m.simd(SIMD.select, [b, a, mask]);
  };

const alignXmm: ImmediateOperation = (m, a, b, immediate) => {
  const count = clamped(m, immediate, 32);
  return m.simd(SIMD.or, [
    m.simd(SIMD.swizzle, [b, iotaPlus(m, count)]),
    m.simd(SIMD.swizzle, [a, iotaPlus(m, m.sub(count, m.i32(16)))]),
  ]);
};

const iotaPlus = (m: MeaningBuilder, distance: V): V =>
  m.simd(SIMD.i8x16Add, [m.vectorConstant(lanes(1, [...Array(16).keys()])), m.simd(SIMD.i8x16Splat, [distance])]);

const alignMmx: ImmediateOperation = (m, a, b, immediate) =>
  byteShifted(m, joinHalves(m, b, a), clamped(m, immediate, 16));

/** PSHUFB: bit 7 of a control byte clears, bits 3:0 (2:0 in MMX) choose. */
const shuffleBytes =
  (mask: number): VectorOperation =>
  (m, a, b) =>
    m.simd(SIMD.swizzle, [a, m.simd(SIMD.and, [b, m.vectorConstant(new Array<number>(16).fill(mask))])]);

/** Copy one lane of a register to a general register or memory. */
function extract(name: string, width: 1 | 2 | 4 | 8, sizes: readonly (readonly Size[])[], places: Place): Meaning {
  return {
    name,
    operands: [places, 'r', 'i'],
    sizes,
    emit: (m, [to, from, immediate]) => {
      const mmx = from.size === 8;
      if (mmx) checkX87(m);
      const at = lane(m, from, immediate, width);
      const value = m.load(width === 8 ? 'i64' : 'i32', at, width);
      to.write(m.fit(value, to.size));
      if (mmx) enterMmx(m);
      m.next();
    },
  };
}

/** Address of the lane of a register that the immediate names. */
function lane(m: MeaningBuilder, register: Operand, immediate: Operand, width: number): V {
  const number = m.and(immediate.read(), m.i32(register.size / width - 1));
  return m.add(register.address(), m.shl(number, m.i32(Math.log2(width))));
}

function insert(name: string, width: 1 | 2 | 4 | 8, sizes: readonly (readonly Size[])[], place: Place): Meaning {
  return {
    name,
    operands: ['r', place, 'i'],
    sizes,
    emit: (m, [to, from, immediate]) => {
      const mmx = to.size === 8;
      if (mmx) checkX87(m);
      const value = from.read();
      m.store(lane(m, to, immediate, width), width === 8 ? value : m.wrap(value), width);
      if (mmx) {
        enterMmx(m);
        m.store(to.address(), m.i32(0xffff), 2, 8);
      }
      m.next();
    },
  };
}

/** INSERTPS: source lane in bits 7:6, destination lane in 5:4, lanes to clear in 3:0. */
function insertPs(place: 'r' | 'm', size: Size): Meaning {
  return {
    name: 'insertps',
    operands: ['r', place, 'i'],
    sizes: [[16, size, 1]],
    emit: (m, [to, from, immediate]) => {
      const bits = immediate.read();
      const offset = (shift: number): V => m.shl(m.and(m.shrU(bits, m.i32(shift)), m.i32(3)), m.i32(2));
      const value = place === 'm' ? from.read() : m.load('i32', m.add(from.address(), offset(6)), 4);
      m.store(m.add(to.address(), offset(4)), value, 4);
      to.write(m.simd(SIMD.andNot, [to.read(), laneMask(m, bits, 4)]));
      m.next();
    },
  };
}

/** Signs of lanes as bits of a general register. */
function signs(name: string, opcode: number, from: 8 | 16): Meaning {
  return {
    name,
    operands: ['r', 'r'],
    sizes: [
      [4, from],
      [8, from],
    ],
    emit: (m, [to, source]) => {
      if (from === 8) checkX87(m);
      const value = from === 8 ? lowVector(m, source.read()) : source.read();
      if (from === 8) enterMmx(m);
      to.write(m.fit(m.simd(opcode, [value], 'i32'), to.size));
      m.next();
    },
  };
}

/** PMOVSX and PMOVZX: each step doubles the lanes' width. */
function extend(name: string, size: Size, steps: readonly number[]): Meaning[] {
  const emit: Meaning['emit'] = (m, [to, from]) => {
    let value = from.kind === 'r' ? from.read() : lowVector(m, readLow(m, from, size));
    for (const step of steps) value = m.simd(step, [value]);
    to.write(value);
    m.next();
  };
  return [
    { name, operands: ['r', 'r'], sizes: [[16, 16]], emit },
    { name, operands: ['r', 'm'], sizes: [[16, size]], emit },
  ];
}

const SIGNED = [SIMD.i16x8ExtendLowS, SIMD.i32x4ExtendLowS, SIMD.i64x2ExtendLowS];
const UNSIGNED = [SIMD.i16x8ExtendLowU, SIMD.i32x4ExtendLowU, SIMD.i64x2ExtendLowU];
/** Letters, bytes read from memory, first and last step. */
// biome-ignore format: a table
const EXTENSIONS: readonly (readonly [string, Size, number, number])[] = [
  ['bw', 8, 0, 1], ['bd', 4, 0, 2], ['bq', 2, 0, 3], ['wd', 8, 1, 2], ['wq', 4, 1, 3], ['dq', 8, 2, 3],
];

// biome-ignore format: a table
const packs: Meaning[] = [
  ...onJoined('packsswb', plain(SIMD.i8x16NarrowS)),
  ...onJoined('packuswb', plain(SIMD.i8x16NarrowU)),
  ...onJoined('packssdw', plain(SIMD.i16x8NarrowS)),
  onXmm('packusdw', plain(SIMD.i16x8NarrowU)),
  ...unpack('punpcklbw', 1, false), ...unpack('punpcklwd', 2, false), ...unpack('punpckldq', 4, false),
  ...unpack('punpckhbw', 1, true), ...unpack('punpckhwd', 2, true), ...unpack('punpckhdq', 4, true),
  onXmm('punpcklqdq', arranged(interleaved(8, false))), onXmm('punpckhqdq', arranged(interleaved(8, true))),
  onXmm('unpcklps', arranged(interleaved(4, false))), onXmm('unpckhps', arranged(interleaved(4, true))),
  onXmm('unpcklpd', arranged(interleaved(8, false))), onXmm('unpckhpd', arranged(interleaved(8, true))),
];

// biome-ignore format: a table
const lanesInAndOut: Meaning[] = [
  extract('pextrb', 1, [[4, 16, 1], [8, 16, 1]], 'r'), extract('pextrb', 1, [[1, 16, 1]], 'm'),
  extract('pextrw', 2, [[4, 16, 1], [8, 16, 1], [4, 8, 1], [8, 8, 1]], 'r'), extract('pextrw', 2, [[2, 16, 1]], 'm'),
  extract('pextrd', 4, [[4, 16, 1]], 'rm'), extract('pextrq', 8, [[8, 16, 1]], 'rm'),
  extract('extractps', 4, [[4, 16, 1]], 'rm'), extract('extractps', 4, [[8, 16, 1]], 'r'),
  insert('pinsrb', 1, [[16, 4, 1], [16, 8, 1]], 'r'), insert('pinsrb', 1, [[16, 1, 1]], 'm'),
  insert('pinsrw', 2, [[16, 4, 1], [16, 8, 1], [8, 4, 1], [8, 8, 1]], 'r'),
  insert('pinsrw', 2, [[16, 2, 1], [8, 2, 1]], 'm'),
  insert('pinsrd', 4, [[16, 4, 1]], 'rm'), insert('pinsrq', 8, [[16, 8, 1]], 'rm'),
  insertPs('r', 16), insertPs('m', 4),
  signs('pmovmskb', SIMD.i8x16Bitmask, 16), signs('pmovmskb', SIMD.i8x16Bitmask, 8),
  signs('movmskps', SIMD.i32x4Bitmask, 16), signs('movmskpd', SIMD.i64x2Bitmask, 16),
];

/** Packing, shuffling, blending, inserting and extracting. SDM Vol. 1, 9.4.4, 10.4.4, 11.4.2, 12.7, 12.10. */
// biome-ignore format: a table
export const VECTOR_SHUFFLES: readonly Meaning[] = [
  ...packs,
  ...lanesInAndOut,
  ...horizontal('phaddw', 2, SIMD.i16x8Add), ...horizontal('phaddd', 4, SIMD.i32x4Add),
  ...horizontal('phaddsw', 2, SIMD.i16x8AddSatS), ...horizontal('phsubw', 2, SIMD.i16x8Sub),
  ...horizontal('phsubd', 4, SIMD.i32x4Sub), ...horizontal('phsubsw', 2, SIMD.i16x8SubSatS),
  shuffle('pshufd', doublewordControl), shuffle('pshuflw', lowWordControl), shuffle('pshufhw', highWordControl),
  mmxWithImmediate('pshufw', (m, _, b, i) => m.simd(SIMD.swizzle, [b, lowWordControl(m, i.read())])),
  withImmediate('shufps', shufflePs), withImmediate('shufpd', shufflePd),
  withImmediate('blendps', blend(4)), withImmediate('blendpd', blend(8)), withImmediate('pblendw', blend(2)),
  onXmm('blendvps', blendVariable(SIMD.i32x4ShrS, 31)), onXmm('blendvpd', blendVariable(SIMD.i64x2ShrS, 63)),
  onXmm('pblendvb', blendVariable(SIMD.i8x16ShrS, 7)),
  withImmediate('palignr', alignXmm), mmxWithImmediate('palignr', alignMmx),
  onXmm('pshufb', shuffleBytes(0x8f)), ...onMmx('pshufb', shuffleBytes(0x87)),
  ...EXTENSIONS.flatMap(([letters, size, from, to]) => [
    ...extend(`pmovsx${letters}`, size, SIGNED.slice(from, to)),
    ...extend(`pmovzx${letters}`, size, UNSIGNED.slice(from, to)),
  ]),
];
