import type { MeaningBuilder, Operand, Size, V } from '../../emit/builder.ts';
import * as L from '../../state/layout.ts';
import type { Meaning, Place } from '../meaning.ts';
import { checkX87, enterMmx, lowHalf, lowVector, readAligned, readLow, writeAligned, writeMmx } from './operands.ts';
import { SIMD } from './simd.ts';

type Emit = (m: MeaningBuilder, to: Operand, from: Operand) => void;

/** One row: `places` and `sizes` of destination and source. */
function move(name: string, places: readonly [Place, Place], sizes: readonly [Size, Size], emit: Emit): Meaning {
  return {
    name,
    operands: places,
    sizes: [sizes],
    emit: (m, [to, from]) => {
      emit(m, to, from);
      m.next();
    },
  };
}

const aligned: Emit = (m, to, from) => writeAligned(m, to, readAligned(m, from));
const unaligned: Emit = (_, to, from) => to.write(from.read());
/** To the low part of an XMM register, the rest cleared. */
const toLow: Emit = (m, to, from) => to.write(lowVector(m, readLow(m, from, from.size === 4 ? 4 : 8)));

/** Store or copy the low `size` bytes of an XMM register. */
const fromLow =
  (size: 4 | 8): Emit =>
  (m, to, from) =>
    to.write(readLow(m, from, size));

/** Replace `size` bytes at `offset` of the destination register by those at `at` of a source register or by memory. */
const into =
  (size: 4 | 8, offset: number, at = 0): Emit =>
  (m, to, from) => {
    const value = from.kind === 'r' ? m.load(size === 8 ? 'i64' : 'i32', from.address(), size, at) : from.read();
    m.store(to.address(), value, size, offset);
  };

const highToMemory: Emit = (m, to, from) => to.write(m.load('i64', from.address(), 8, 8));

const whole: Meaning[] = [
  ...['movaps', 'movapd', 'movdqa'].flatMap((name) => [
    move(name, ['r', 'rm'], [16, 16], aligned),
    move(name, ['m', 'r'], [16, 16], aligned),
  ]),
  ...['movups', 'movupd', 'movdqu'].flatMap((name) => [
    move(name, ['r', 'rm'], [16, 16], unaligned),
    move(name, ['m', 'r'], [16, 16], unaligned),
  ]),
  ...['movntps', 'movntpd', 'movntdq'].map((name) => move(name, ['m', 'r'], [16, 16], aligned)),
  move('movntdqa', ['r', 'm'], [16, 16], aligned),
  move('lddqu', ['r', 'm'], [16, 16], unaligned),
  move('movnti', ['m', 'r'], [4, 4], unaligned),
  move('movnti', ['m', 'r'], [8, 8], unaligned),
];

const scalars: Meaning[] = [
  move('movss', ['r', 'r'], [16, 16], into(4, 0)),
  move('movss', ['r', 'm'], [16, 4], toLow),
  move('movss', ['m', 'r'], [4, 16], fromLow(4)),
  move('movsd', ['r', 'r'], [16, 16], into(8, 0)),
  move('movsd', ['r', 'm'], [16, 8], toLow),
  move('movsd', ['m', 'r'], [8, 16], fromLow(8)),
  move('movd', ['r', 'rm'], [16, 4], (m, to, from) => to.write(lowVector(m, from.read()))),
  move('movd', ['rm', 'r'], [4, 16], fromLow(4)),
  move('movq', ['r', 'rm'], [16, 8], (m, to, from) => to.write(lowVector(m, from.read()))),
  move('movq', ['r', 'r'], [16, 16], toLow),
  move('movq', ['rm', 'r'], [8, 16], fromLow(8)),
];

const halves: Meaning[] = [
  ...['movlps', 'movlpd'].flatMap((name) => [
    move(name, ['r', 'm'], [16, 8], into(8, 0)),
    move(name, ['m', 'r'], [8, 16], fromLow(8)),
  ]),
  ...['movhps', 'movhpd'].flatMap((name) => [
    move(name, ['r', 'm'], [16, 8], into(8, 8)),
    move(name, ['m', 'r'], [8, 16], highToMemory),
  ]),
  move('movhlps', ['r', 'r'], [16, 16], into(8, 0, 8)),
  move('movlhps', ['r', 'r'], [16, 16], into(8, 8, 0)),
];

/** Copies that repeat lanes. */
function duplicate(m: MeaningBuilder, value: V, bytes: readonly number[]): V {
  return m.simd(SIMD.shuffle, [value, value], 'v128', bytes);
}

const ODD = [4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15];
const EVEN = [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11];

// biome-ignore format: a table
const duplicates: Meaning[] = [
  move('movshdup', ['r', 'rm'], [16, 16], (m, to, from) => to.write(duplicate(m, readAligned(m, from), ODD))),
  move('movsldup', ['r', 'rm'], [16, 16], (m, to, from) => to.write(duplicate(m, readAligned(m, from), EVEN))),
  ...([['r', 16], ['m', 8]] as const).map(([place, size]) =>
    move('movddup', ['r', place], [16, size], (m, to, from) =>
      to.write(m.simd(SIMD.i64x2Splat, [readLow(m, from, 8)]))),
  ),
];

/** Moves with an MM register: they enter MMX state once memory has been read or written. */
function mmx(name: string, places: readonly [Place, Place], sizes: readonly [Size, Size], emit: Emit): Meaning {
  return move(name, places, sizes, (m, to, from) => {
    checkX87(m);
    emit(m, to, from);
    enterMmx(m);
  });
}

/** MOVQ between MM registers, or one and a general register: the slot tells which the destination is. */
const toEither: Emit = (m, to, from) => {
  const slot = to.address();
  m.store(slot, from.read(), 8);
  m.if(m.geU(slot, m.i32(L.X87_REGISTERS)), () => m.store(slot, m.i32(0xffff), 2, 8));
};
const toMmx: Emit = (m, to, from) => writeMmx(m, to, m.extendU(from.read()));

const mmxMoves: Meaning[] = [
  mmx('movd', ['r', 'rm'], [8, 4], toMmx),
  mmx('movd', ['rm', 'r'], [4, 8], (m, to, from) => to.write(m.wrap(from.read()))),
  mmx('movq', ['r', 'r'], [8, 8], toEither),
  mmx('movq', ['r', 'm'], [8, 8], toMmx),
  mmx('movq', ['m', 'r'], [8, 8], unaligned),
  mmx('movntq', ['m', 'r'], [8, 8], unaligned),
  mmx('movq2dq', ['r', 'r'], [16, 8], (m, to, from) => to.write(lowVector(m, from.read()))),
  mmx('movdq2q', ['r', 'r'], [8, 16], (m, to, from) => writeMmx(m, to, lowHalf(m, from.read()))),
];

/** Moves of vectors and of their parts. SDM Vol. 1, 9.4.1, 10.4.1.1, 11.4.1.1, 12.3.1. */
export const VECTOR_MOVES: readonly Meaning[] = [...whole, ...scalars, ...halves, ...duplicates, ...mmxMoves];
