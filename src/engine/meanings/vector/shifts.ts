import type { MeaningBuilder, Operand, V } from '../../emit/builder.ts';
import type { Meaning } from '../meaning.ts';
import { checkX87, enterMmx, lowHalf, readAligned, vector64, writeMmx } from './operands.ts';
import { SIMD } from './simd.ts';

interface Shift {
  readonly name: string;
  readonly opcode: number;
  readonly bits: 16 | 32 | 64;
  readonly arithmetic: boolean;
}

const SHIFTS: readonly Shift[] = [
  { name: 'psllw', opcode: SIMD.i16x8Shl, bits: 16, arithmetic: false },
  { name: 'pslld', opcode: SIMD.i32x4Shl, bits: 32, arithmetic: false },
  { name: 'psllq', opcode: SIMD.i64x2Shl, bits: 64, arithmetic: false },
  { name: 'psrlw', opcode: SIMD.i16x8ShrU, bits: 16, arithmetic: false },
  { name: 'psrld', opcode: SIMD.i32x4ShrU, bits: 32, arithmetic: false },
  { name: 'psrlq', opcode: SIMD.i64x2ShrU, bits: 64, arithmetic: false },
  { name: 'psraw', opcode: SIMD.i16x8ShrS, bits: 16, arithmetic: true },
  { name: 'psrad', opcode: SIMD.i32x4ShrS, bits: 32, arithmetic: true },
];

/** `count` is i32 or i64: from the lane width on, all bits are shifted out. */
function shifted(m: MeaningBuilder, shift: Shift, value: V, count: V): V {
  const limit = m.const(m.typeOf(count) === 'i64' ? 'i64' : 'i32', shift.bits - 1);
  const over = m.gtU(count, limit);
  if (shift.arithmetic) return m.simd(shift.opcode, [value, m.wrap(m.select(over, limit, count))]);
  return m.select(over, vector64(m, 0n), m.simd(shift.opcode, [value, m.wrap(count)]));
}

/** The count is the low 64 bits of the source, all of it read. */
function countOf(m: MeaningBuilder, from: Operand): V {
  return from.size === 16 ? lowHalf(m, readAligned(m, from)) : from.read();
}

function forms(shift: Shift): Meaning[] {
  const emitXmm: Meaning['emit'] = (m, [to, from]) => {
    const count = countOf(m, from);
    to.write(shifted(m, shift, to.read(), count));
    m.next();
  };
  const emitMmx: Meaning['emit'] = (m, [to, from]) => {
    checkX87(m);
    const count = countOf(m, from);
    const value = m.simd(SIMD.i64x2Splat, [to.read()]);
    const result = lowHalf(m, shifted(m, shift, value, count));
    enterMmx(m);
    writeMmx(m, to, result);
    m.next();
  };
  return [
    { name: shift.name, operands: ['r', 'rm'], sizes: [[16, 16]], emit: emitXmm },
    { name: shift.name, operands: ['r', 'i'], sizes: [[16, 1]], emit: emitXmm },
    { name: shift.name, operands: ['r', 'rm'], sizes: [[8, 8]], emit: emitMmx },
    { name: shift.name, operands: ['r', 'i'], sizes: [[8, 1]], emit: emitMmx },
  ];
}

const IOTA = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/** Byte i of the result is byte i + distance of the value, or zero. `distance`: an i32 from -16 to 16. */
export function byteShifted(m: MeaningBuilder, value: V, distance: V): V {
  const places = m.simd(SIMD.i8x16Add, [m.vectorConstant(IOTA), m.simd(SIMD.i8x16Splat, [distance])]);
  return m.simd(SIMD.swizzle, [value, places]);
}

/** An immediate, at most `limit`. */
export function clamped(m: MeaningBuilder, operand: Operand, limit: number): V {
  const count = operand.read();
  return m.select(m.gtU(count, m.i32(limit)), m.i32(limit), count);
}

function byteShift(name: string, left: boolean): Meaning {
  return {
    name,
    operands: ['r', 'i'],
    sizes: [[16, 1]],
    emit: (m, [to, by]) => {
      const count = clamped(m, by, 16);
      to.write(byteShifted(m, to.read(), left ? m.neg(count) : count));
      m.next();
    },
  };
}

/** Shifts of lanes and of the whole register. SDM Vol. 1, 9.4.6, 11.4.2. */
export const VECTOR_SHIFTS: readonly Meaning[] = [
  ...SHIFTS.flatMap(forms),
  byteShift('pslldq', true),
  byteShift('psrldq', false),
];
