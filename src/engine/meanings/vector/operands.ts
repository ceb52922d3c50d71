import type { MeaningBuilder, Operand, Size, V } from '../../emit/builder.ts';
import * as L from '../../state/layout.ts';
import type { Meaning, Place } from '../meaning.ts';
import { SIMD } from './simd.ts';
import { VECTOR } from '../../../x86/exceptions.ts';

const TOP = 0x3800;
const ERROR_SUMMARY = 0x80;

/** A function of two vectors. MMX operands are the low half of a vector. */
export type VectorOperation = (m: MeaningBuilder, a: V, b: V) => V;

/** The operation that is one SIMD instruction. */
export const plain =
  (opcode: number): VectorOperation =>
  (m, a, b) =>
    m.simd(opcode, [a, b]);

/** A vector of 32-bit numbers. */
export function vector32(m: MeaningBuilder, lanes: readonly number[]): V {
  return m.vectorConstant(lanes.flatMap((lane) => [0, 8, 16, 24].map((at) => (lane >>> at) & 0xff)));
}

/** A vector of 16-bit numbers. */
export function vector16(m: MeaningBuilder, lanes: readonly number[]): V {
  return m.vectorConstant(lanes.flatMap((lane) => [lane & 0xff, (lane >>> 8) & 0xff]));
}

/** The number in every 64-bit half. */
export function vector64(m: MeaningBuilder, value: bigint): V {
  return m.simd(SIMD.i64x2Splat, [m.i64(value)]);
}

export function zeroVector(m: MeaningBuilder): V {
  return m.vectorConstant(new Array<number>(16).fill(0));
}

/** A vector whose low part is an i32 or i64; the rest is zero. */
export function lowVector(m: MeaningBuilder, value: V): V {
  return m.simd(SIMD.i64x2Replace, [zeroVector(m), m.extendU(value)], 'v128', [0]);
}

export function lowHalf(m: MeaningBuilder, value: V): V {
  return m.simd(SIMD.i64x2Lane, [value], 'i64', [0]);
}

/** `high`'s low half above `low`'s. */
export function joinHalves(m: MeaningBuilder, low: V, high: V): V {
  return m.simd(SIMD.shuffle, [low, high], 'v128', [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
}

/** Linear address of a 128-bit operand that must be aligned. SDM Vol. 1, 10.2.2. */
function alignedAddress(m: MeaningBuilder, operand: Operand, write: boolean): V {
  const linear = m.linearAddress(operand.kind, 16, write);
  m.if(m.and(m.wrap(linear), m.i32(15)), () => m.raise(VECTOR.GP));
  return linear;
}

/** A 128-bit register or an aligned 128-bit memory operand. */
export function readAligned(m: MeaningBuilder, operand: Operand): V {
  if (operand.kind === 'r') return operand.read();
  return m.loadLinear(alignedAddress(m, operand, false), 16);
}

export function writeAligned(m: MeaningBuilder, operand: Operand, value: V): void {
  if (operand.kind === 'r') operand.write(value);
  else m.storeLinear(alignedAddress(m, operand, true), 16, value);
}

/** The low `size` bytes of an XMM register, or a memory operand of that size, as an integer. */
export function readLow(m: MeaningBuilder, operand: Operand, size: Size): V {
  return operand.kind === 'r' ? m.readSlot(operand.address(), size) : operand.read();
}

/** A waiting x87 exception comes before an MMX instruction. SDM Vol. 1, 8.6. */
export function checkX87(m: MeaningBuilder): void {
  const status = m.load('i32', m.i32(0), 2, L.FSW);
  m.if(m.and(status, m.i32(ERROR_SUMMARY)), () => m.raise(VECTOR.MF));
}

/** TOP is 0 and every register valid after an MMX instruction. SDM Vol. 1, 9.5.1. */
export function enterMmx(m: MeaningBuilder): void {
  const zero = m.i32(0);
  m.store(zero, m.and(m.load('i32', zero, 2, L.FSW), m.i32(~TOP)), 2, L.FSW);
  m.store(zero, zero, 2, L.FTW);
}

/** Write an MM register: sign and exponent of the x87 register become ones. */
export function writeMmx(m: MeaningBuilder, operand: Operand, value: V): void {
  const slot = operand.address();
  m.store(slot, value, 8);
  m.store(slot, m.i32(0xffff), 2, 8);
}

/** xmm, xmm/m128: the destination is the first operand. */
export function onXmm(name: string, operation: VectorOperation): Meaning {
  return {
    name,
    operands: ['r', 'rm'],
    sizes: [[16, 16]],
    emit: (m, [to, from]) => {
      const b = readAligned(m, from);
      to.write(operation(m, to.read(), b));
      m.next();
    },
  };
}

/** mm, mm/m64 (or m32: `memory`). */
export function onMmx(name: string, operation: VectorOperation, memory: 4 | 8 = 8): Meaning[] {
  const form = (place: Place, size: Size): Meaning => ({
    name,
    operands: ['r', place],
    sizes: [[8, size]],
    emit: (m, [to, from]) => {
      checkX87(m);
      const b = m.simd(SIMD.i64x2Splat, [m.extendU(from.read())]);
      const a = m.simd(SIMD.i64x2Splat, [to.read()]);
      const result = lowHalf(m, operation(m, a, b));
      enterMmx(m);
      writeMmx(m, to, result);
      m.next();
    },
  });
  return [form('r', 8), form('m', memory)];
}

/** The XMM and the MMX form of an operation on independent lanes. */
export function onBoth(name: string, operation: VectorOperation): Meaning[] {
  return [onXmm(name, operation), ...onMmx(name, operation)];
}

/** An operation that gathers from both operands: the MMX form works on the joined halves. */
export function onJoined(name: string, operation: VectorOperation): Meaning[] {
  const joined: VectorOperation = (m, a, b) => {
    const both = joinHalves(m, a, b);
    return operation(m, both, both);
  };
  return [onXmm(name, operation), ...onMmx(name, joined)];
}
