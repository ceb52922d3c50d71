import type { MeaningBuilder, Operand, Size, V } from '../emit/builder.ts';
import type { Meaning } from './meaning.ts';

/** Sizes of a shifted operand and its count (CL or an immediate byte). */
const COUNTED: readonly (readonly Size[])[] = [
  [1, 1],
  [2, 1],
  [4, 1],
  [8, 1],
];

type Shift = (m: MeaningBuilder, value: V, count: V, size: Size) => { result: V; carry: V; overflow: V };

/** Count masked to 5 or 6 bits, in the type of the operand. SDM Vol. 2B, SAL/SAR/SHL/SHR. */
function maskedCount(m: MeaningBuilder, count: Operand, size: Size): V {
  return m.and(m.extendU(count.read()), m.i64(size === 8 ? 63 : 31));
}

function shift(name: string, meaning: Shift): Meaning {
  return {
    name,
    operands: ['rm', 'ri'],
    sizes: COUNTED,
    emit: (m, [target, by], [size]) => {
      const count = maskedCount(m, by, size);
      const value = target.readForWrite();
      m.if(m.eqz(count), () => {
        // Nothing changes, but a 32-bit register destination is still written.
        target.write(value);
        m.returnNext();
      });
      const { result, carry, overflow } = meaning(m, m.extendU(value), count, size);
      const fitted = m.fit(result, size);
      target.write(fitted);
      m.resultFlags(fitted, size, carry, overflow);
      m.next();
    },
  };
}

const bitAt = (m: MeaningBuilder, value: V, index: V): V => m.wrap(m.and(m.shrU(value, index), m.i64(1)));
const bit = (m: MeaningBuilder, value: V, index: number): V => bitAt(m, value, m.i64(index));

/** SHL: CF is the last bit out; OF = MSB(result) ^ CF. */
const shiftLeft: Shift = (m, value, count, size) => {
  const bits = 8 * size;
  const result = m.shl(value, count);
  const carry =
    size === 8 ? bitAt(m, value, m.sub(m.i64(64), count)) : m.and(m.wrap(m.shrU(result, m.i64(bits))), m.i32(1));
  return { result, carry, overflow: m.xor(bit(m, result, bits - 1), carry) };
};

/** SHR: OF = MSB of the operand. For counts over 1 it is undefined; processors give MSB(r) ^ MSB-1(r). */
const shiftRight: Shift = (m, value, count, size) => {
  const result = m.shrU(value, count);
  const carry = bitAt(m, value, m.sub(count, m.i64(1)));
  const bits = 8 * size;
  return { result, carry, overflow: m.xor(bit(m, result, bits - 1), bit(m, result, bits - 2)) };
};

const shiftArithmetic: Shift = (m, value, count, size) => {
  const signed = m.signExtend(value, size as 1 | 2 | 4 | 8);
  const result = m.shrS(signed, count);
  const carry = m.wrap(m.and(m.shrS(signed, m.sub(count, m.i64(1))), m.i64(1)));
  return { result, carry, overflow: m.i32(0) };
};

/** The value to rotate; by nothing, the instruction is done. The target counts as written even then. */
function readUnlessZero(m: MeaningBuilder, target: Operand, count: V): V {
  const value = target.readForWrite();
  m.if(m.eqz(count), () => {
    target.write(value);
    m.returnNext();
  });
  return value;
}

/** ROL and ROR change only CF and OF. */
function rotate(name: 'rol' | 'ror'): Meaning {
  return {
    name,
    operands: ['rm', 'ri'],
    sizes: COUNTED,
    emit: (m, [target, by], [size]) => {
      const bits = 8 * size;
      const count = maskedCount(m, by, size);
      const value = readUnlessZero(m, target, count);
      const result = rotated(m, m.extendU(value), count, size, name);
      target.write(m.fit(result, size));
      const top = bit(m, result, bits - 1);
      const carry = name === 'rol' ? m.and(m.wrap(result), m.i32(1)) : top;
      const overflow = name === 'rol' ? m.xor(top, carry) : m.xor(top, bit(m, result, bits - 2));
      setCarryOverflow(m, carry, overflow);
      m.next();
    },
  };
}

function rotated(m: MeaningBuilder, value: V, count: V, size: Size, name: 'rol' | 'ror'): V {
  if (size === 8) return name === 'rol' ? m.rotl(value, count) : m.rotr(value, count);
  const bits = BigInt(8 * size);
  const by = m.and(count, m.i64(bits - 1n));
  const back = m.and(m.sub(m.i64(bits), by), m.i64(bits - 1n));
  const [left, right] = name === 'rol' ? [by, back] : [back, by];
  return m.and(m.or(m.shl(value, left), m.shrU(value, right)), m.i64((1n << bits) - 1n));
}

/** Replace CF and OF, keeping the lazily held others. */
function setCarryOverflow(m: MeaningBuilder, carry: V, overflow: V): void {
  m.setStatusFlags({ cf: carry, of: overflow, pf: m.parity(), af: m.adjust(), zf: m.zero(), sf: m.sign() });
}

/** RCL and RCR rotate through CF, one bit more than the operand. */
function rotateThroughCarry(name: 'rcl' | 'rcr'): Meaning {
  return {
    name,
    operands: ['rm', 'ri'],
    sizes: COUNTED,
    emit: (m, [target, by], [size]) => {
      const bits = 8 * size;
      const masked = maskedCount(m, by, size);
      const count = size < 4 ? m.remU(masked, m.i64(bits + 1)) : masked;
      const value = readUnlessZero(m, target, count);
      const operand = m.extendU(value);
      const carryIn = m.extendU(m.carry());
      const { result, carry } = throughCarry(m, operand, carryIn, count, size, name);
      target.write(m.fit(result, size));
      const top = bit(m, result, bits - 1);
      const overflow = name === 'rcl' ? m.xor(top, carry) : m.xor(top, bit(m, result, bits - 2));
      setCarryOverflow(m, carry, overflow);
      m.next();
    },
  };
}

function throughCarry(
  m: MeaningBuilder,
  value: V,
  carryIn: V,
  count: V,
  size: Size,
  name: 'rcl' | 'rcr',
): { result: V; carry: V } {
  const bits = 8 * size;
  // Two shifts, since a shift by 64 is a shift by 0.
  const farLeft = (v: V, by: V): V => m.shl(m.shl(v, m.sub(by, m.i64(1))), m.i64(1));
  const farRight = (v: V, by: V): V => m.shrU(m.shrU(v, m.sub(by, m.i64(1))), m.i64(1));
  const rest = m.sub(m.i64(bits), count); // 0..bits-1
  if (name === 'rcl') {
    const high = farLeft(value, count);
    const carried = m.shl(carryIn, m.sub(count, m.i64(1)));
    // value >> (bits + 1 - count)
    const low = farRight(value, m.add(rest, m.i64(1)));
    return { result: m.or(m.or(high, carried), low), carry: bitAt(m, value, rest) };
  }
  const low = farRight(value, count);
  const carried = m.shl(carryIn, rest);
  const high = farLeft(value, m.add(rest, m.i64(1)));
  return { result: m.or(m.or(low, carried), high), carry: bitAt(m, value, m.sub(count, m.i64(1))) };
}

/** SHLD and SHRD. For 16-bit operands and counts over 16 the result is undefined; this follows processors. */
function doubleShift(name: 'shld' | 'shrd'): Meaning {
  return {
    name,
    operands: ['rm', 'r', 'ri'],
    sizes: [
      [2, 2, 1],
      [4, 4, 1],
      [8, 8, 1],
    ],
    emit: (m, [target, filler, by], [size]) => {
      const count = maskedCount(m, by, size);
      const value = readUnlessZero(m, target, count);
      const a = m.extendU(value);
      const b = m.extendU(filler.read());
      const { result, carry } = name === 'shld' ? joinedLeft(m, a, b, count, size) : joinedRight(m, a, b, count, size);
      const fitted = m.fit(result, size);
      target.write(fitted);
      const changed = m.and(m.wrap(m.shrU(m.xor(a, result), m.i64(8 * size - 1))), m.i32(1));
      m.resultFlags(fitted, size, carry, changed);
      m.next();
    },
  };
}

function joinedLeft(m: MeaningBuilder, a: V, b: V, count: V, size: Size): { result: V; carry: V } {
  if (size === 8) {
    const rest = m.sub(m.i64(64), count);
    return { result: m.or(m.shl(a, count), m.shrU(b, rest)), carry: bitAt(m, a, rest) };
  }
  if (size === 4) {
    const both = m.shl(m.or(m.shl(a, m.i64(32)), b), count);
    return { result: m.shrU(both, m.i64(32)), carry: bitAt(m, a, m.sub(m.i64(32), count)) };
  }
  // a:b:a, 48 bits: counts 17..31 rotate the destination back in.
  const triple = m.or(m.or(m.shl(a, m.i64(32)), m.shl(b, m.i64(16))), a);
  const result = m.shrU(m.shl(triple, count), m.i64(32));
  return { result, carry: bitAt(m, triple, m.sub(m.i64(48), count)) };
}

function joinedRight(m: MeaningBuilder, a: V, b: V, count: V, size: Size): { result: V; carry: V } {
  if (size === 8) {
    const rest = m.sub(m.i64(64), count);
    return { result: m.or(m.shrU(a, count), m.shl(b, rest)), carry: bitAt(m, a, m.sub(count, m.i64(1))) };
  }
  const both = size === 4 ? m.or(m.shl(b, m.i64(32)), a) : m.or(m.or(m.shl(a, m.i64(32)), m.shl(b, m.i64(16))), a);
  return { result: m.shrU(both, count), carry: bitAt(m, both, m.sub(count, m.i64(1))) };
}

/** SARX SHLX SHRX RORX: no flags. */
function flaglessShift(name: 'sarx' | 'shlx' | 'shrx'): Meaning {
  return {
    name,
    operands: ['r', 'rm', 'r'],
    sizes: [
      [4, 4, 4],
      [8, 8, 8],
    ],
    emit: (m, [to, from, counter], [size]) => {
      const value = from.read();
      const count = counter.read(); // WebAssembly masks to 5 or 6 bits itself, as the manual asks
      const by = m.and(count, m.num(size, size === 8 ? 63 : 31));
      to.write(name === 'sarx' ? m.shrS(value, by) : name === 'shlx' ? m.shl(value, by) : m.shrU(value, by));
      m.next();
    },
  };
}

const rotateExtended: Meaning = {
  name: 'rorx',
  operands: ['r', 'rm', 'i'],
  sizes: [
    [4, 4, 1],
    [8, 8, 1],
  ],
  emit: (m, [to, from, by], [size]) => {
    to.write(m.rotr(from.read(), m.fit(by.read(), size)));
    m.next();
  },
};

export const SHIFTS: readonly Meaning[] = [
  shift('shl', shiftLeft),
  shift('sal', shiftLeft),
  shift('shr', shiftRight),
  shift('sar', shiftArithmetic),
  rotate('rol'),
  rotate('ror'),
  rotateThroughCarry('rcl'),
  rotateThroughCarry('rcr'),
  doubleShift('shld'),
  doubleShift('shrd'),
  flaglessShift('sarx'),
  flaglessShift('shlx'),
  flaglessShift('shrx'),
  rotateExtended,
];
