import { CONDITIONS, type MeaningBuilder, type Operand, type Size, type V } from '../emit/builder.ts';
import * as L from '../state/layout.ts';
import { type Meaning, ONE, SAME_2, SAME_2_NO_BYTE, type Operands, type Sizes } from './meaning.ts';
import { VECTOR } from '../../x86/exceptions.ts';
import { GPR } from '../../x86/registers.ts';

type Binary = (m: MeaningBuilder, a: V, b: V, size: Size) => V;

/** ADD OR ADC SBB AND SUB XOR: destination op= source. */
function binary(name: string, meaning: Binary): Meaning[] {
  const emit = (m: MeaningBuilder, [to, from]: Operands, [size]: Sizes): void => {
    if (from.kind.startsWith('m')) {
      const b = from.read();
      to.write(meaning(m, to.read(), b, size));
    } else {
      const a = to.readForWrite();
      to.write(meaning(m, a, from.read(), size));
    }
    m.next();
  };
  return [
    { name, operands: ['rm', 'ri'], sizes: SAME_2, emit },
    { name, operands: ['r', 'm'], sizes: SAME_2, emit },
  ];
}

/** CMP and TEST: flags only. */
function compare(name: string, meaning: (m: MeaningBuilder, a: V, b: V, size: Size) => void): Meaning[] {
  const emit = (m: MeaningBuilder, [left, right]: Operands, [size]: Sizes): void => {
    const a = left.read();
    meaning(m, a, right.read(), size);
    m.next();
  };
  return [
    { name, operands: ['rm', 'ri'], sizes: SAME_2, emit },
    { name, operands: ['r', 'm'], sizes: SAME_2, emit },
  ];
}

const logic =
  (op: 'and' | 'or' | 'xor'): Binary =>
  (m, a, b, size) => {
    const result = m[op](a, b);
    m.logicFlags(result, size);
    return result;
  };

/** INC and DEC: CF stays. SDM Vol. 2. */
function step(name: string, by: 1 | -1): Meaning {
  return {
    name,
    operands: ['rm'],
    sizes: ONE,
    emit: (m, [target], [size]) => {
      const a = target.readForWrite();
      const sum = m.add(a, m.num(size, by));
      const result = size < 4 ? m.zeroExtend(sum, size as 1 | 2) : sum;
      target.write(result);
      const top = 1n << BigInt(size * 8 - 1);
      // Overflow: INC arrives at the most negative number, DEC leaves it.
      const edge = by === 1 ? m.eq(result, m.num(size, top)) : m.eq(a, m.num(size, top));
      m.stepFlags(a, result, size, edge);
      m.next();
    },
  };
}

const neg: Meaning = {
  name: 'neg',
  operands: ['rm'],
  sizes: ONE,
  emit: (m, [target], [size]) => {
    const a = target.readForWrite();
    // Flags must not change if the write faults, and it cannot after readForWrite.
    target.write(m.subWithFlags(m.num(size, 0), a, size));
    m.next();
  },
};

const not: Meaning = {
  name: 'not',
  operands: ['rm'],
  sizes: ONE,
  emit: (m, [target], [size]) => {
    const flipped = m.not(target.readForWrite());
    target.write(size < 4 ? m.zeroExtend(flipped, size as 1 | 2) : flipped);
    m.next();
  },
};

const exchangeAdd: Meaning = {
  name: 'xadd',
  operands: ['rm', 'r'],
  sizes: SAME_2,
  emit: (m, [to, from], [size]) => {
    const a = to.readForWrite();
    const b = from.read();
    const sum = m.addWithFlags(a, b, size);
    from.write(a);
    to.write(sum);
    m.next();
  },
};

/** CMPXCHG: the destination is always written (with its own value on inequality). SDM Vol. 2A. */
const compareExchange: Meaning = {
  name: 'cmpxchg',
  operands: ['rm', 'r'],
  sizes: SAME_2,
  emit: (m, [to, from], [size]) => {
    const a = to.readForWrite();
    const accumulator = m.readRegister(GPR.RAX, size);
    const source = from.read();
    m.subWithFlags(accumulator, a, size);
    const equal = m.eq(accumulator, a);
    if (to.kind === 'r') {
      m.if(
        equal,
        () => to.write(source),
        () => m.writeRegister(GPR.RAX, size, a),
      );
    } else {
      to.write(m.select(equal, source, a));
      m.if(m.eqz(equal), () => m.writeRegister(GPR.RAX, size, a));
    }
    m.next();
  },
};

/** CMPXCHG8B and CMPXCHG16B inside one page; the others are the assist's. SDM Vol. 2A. */
function compareExchangePair(name: string, half: 4 | 8): Meaning {
  return {
    name,
    operands: ['m'],
    sizes: [[(2 * half) as Size]],
    emit: (m, [target]) => {
      const linear = m.linearAddress(target.kind, 2 * half, true);
      if (half === 8) m.if(m.ne(m.and(linear, m.i64(15)), m.i64(0)), () => m.raise(VECTOR.GP));
      const pointer = m.pointer(linear, 2 * half, 'readWrite');
      const [low, high] = [m.loadAt(pointer, half), m.loadAt(pointer, half, half)];
      const equal = m.and(m.eq(low, m.readRegister(GPR.RAX, half)), m.eq(high, m.readRegister(GPR.RDX, half)));
      m.storeAt(pointer, half, m.select(equal, m.readRegister(GPR.RBX, half), low));
      m.storeAt(pointer, half, m.select(equal, m.readRegister(GPR.RCX, half), high), half);
      m.commit(pointer);
      m.if(m.eqz(equal), () => {
        m.writeRegister(GPR.RAX, half, low);
        m.writeRegister(GPR.RDX, half, high);
      });
      m.setStatusFlags({
        cf: m.carry(),
        pf: m.parity(),
        af: m.adjust(),
        zf: equal,
        sf: m.sign(),
        of: m.overflow(),
      });
      m.next();
    },
  };
}

/** High half of an unsigned 64 x 64 multiplication. */
export function multiplyHighUnsigned(m: MeaningBuilder, a: V, b: V): V {
  const low = (v: V): V => m.and(v, m.i64(0xffffffffn));
  const high = (v: V): V => m.shrU(v, m.i64(32));
  const [a0, a1, b0, b1] = [low(a), high(a), low(b), high(b)];
  const p01 = m.mul(a0, b1);
  const p10 = m.mul(a1, b0);
  const middle = m.add(m.add(high(m.mul(a0, b0)), low(p01)), low(p10));
  return m.add(m.add(m.mul(a1, b1), high(middle)), m.add(high(p01), high(p10)));
}

/** High half of a signed 64 x 64 multiplication. */
function multiplyHighSigned(m: MeaningBuilder, a: V, b: V): V {
  const unsigned = multiplyHighUnsigned(m, a, b);
  const ifNegative = (sign: V, v: V): V => m.and(m.shrS(sign, m.i64(63)), v);
  return m.sub(m.sub(unsigned, ifNegative(a, b)), ifNegative(b, a));
}

/** MUL and one-operand IMUL: rdx:rax (or ax) = accumulator * operand. */
function multiply(name: string, signed: boolean): Meaning {
  return {
    name,
    operands: ['rm'],
    sizes: ONE,
    emit: (m, [source], [size]) => {
      const b = source.read();
      const a = m.readRegister(GPR.RAX, size);
      if (size === 8) {
        const low = m.mul(a, b);
        const high = signed ? multiplyHighSigned(m, a, b) : multiplyHighUnsigned(m, a, b);
        m.writeRegister(GPR.RAX, 8, low);
        m.writeRegister(GPR.RDX, 8, high);
        const plain = signed ? m.eq(high, m.shrS(low, m.i64(63))) : m.eqz(high);
        m.resultFlags(low, 8, m.eqz(plain), m.eqz(plain));
        m.next();
        return;
      }
      const extend = (v: V): V => (signed ? m.wide(v, size) : m.extendU(v));
      const product = m.mul(extend(a), extend(b));
      if (size === 1) {
        m.writeRegister(GPR.RAX, 2, m.wrap(product));
      } else {
        m.writeRegister(GPR.RAX, size, m.fit(product, size));
        m.writeRegister(GPR.RDX, size, m.fit(m.shrU(product, m.i64(8 * size)), size));
      }
      const low = m.fit(product, size);
      const overflow = m.ne(product, extend(low));
      m.resultFlags(low, size, overflow, overflow);
      m.next();
    },
  };
}

/** Two- and three-operand IMUL. */
function multiplyInto(m: MeaningBuilder, to: Operand, a: V, b: V, size: Size): void {
  if (size === 8) {
    const low = m.mul(a, b);
    const high = multiplyHighSigned(m, a, b);
    const overflow = m.ne(high, m.shrS(low, m.i64(63)));
    to.write(low);
    m.resultFlags(low, 8, overflow, overflow);
  } else {
    const product = m.mul(m.wide(a, size), m.wide(b, size));
    const low = m.fit(product, size);
    const overflow = m.ne(product, m.wide(low, size));
    to.write(low);
    m.resultFlags(low, size, overflow, overflow);
  }
  m.next();
}

const imul2: Meaning = {
  name: 'imul',
  operands: ['r', 'rm'],
  sizes: SAME_2_NO_BYTE,
  emit: (m, [to, from], [size]) => multiplyInto(m, to, to.read(), from.read(), size),
};

const imul3: Meaning = {
  name: 'imul',
  operands: ['r', 'rm', 'i'],
  sizes: [
    [2, 2, 2],
    [4, 4, 4],
    [8, 8, 8],
  ],
  emit: (m, [to, from, by], [size]) => multiplyInto(m, to, from.read(), by.read(), size),
};

/** DIV and IDIV up to 32 bits in 64-bit arithmetic; 64-bit where the dividend fits 64 bits, else by `wide`. */
function divide(name: string, signed: boolean): Meaning {
  return {
    name,
    operands: ['rm'],
    sizes: ONE,
    emit: (m, [source], [size]) => {
      const divisor = source.read();
      m.if(m.eqz(divisor), () => m.raise(VECTOR.DE));
      if (size === 8) divide64(m, divisor, signed);
      else divideNarrow(m, divisor, size, signed);
    },
  };
}

function divideNarrow(m: MeaningBuilder, divisor: V, size: Size, signed: boolean): void {
  const bits = 8 * size;
  let dividend: V;
  if (size === 1) {
    const ax = m.readRegister(GPR.RAX, 2);
    dividend = signed ? m.wide(ax, 2) : m.extendU(ax);
  } else {
    const high = m.extendU(m.readRegister(GPR.RDX, size));
    const joined = m.or(m.shl(high, m.i64(bits)), m.extendU(m.readRegister(GPR.RAX, size)));
    dividend = signed && size === 2 ? m.extendS(m.wrap(joined)) : joined;
  }
  const by = signed ? m.wide(divisor, size) : m.extendU(divisor);
  if (signed && size === 4) {
    const isMinimum = m.eq(dividend, m.i64(-(1n << 63n)));
    m.if(m.and(isMinimum, m.eq(by, m.i64(-1))), () => m.raise(VECTOR.DE));
  }
  const quotient = signed ? m.divS(dividend, by) : m.divU(dividend, by);
  const remainder = signed ? m.remS(dividend, by) : m.remU(dividend, by);
  const low = m.fit(quotient, size);
  const back = signed ? m.wide(low, size) : m.extendU(low);
  m.if(m.ne(back, quotient), () => m.raise(VECTOR.DE));
  if (size === 1) {
    const ah = m.shl(m.and(m.wrap(remainder), m.i32(0xff)), m.i32(8));
    m.writeRegister(GPR.RAX, 2, m.or(low, ah));
  } else {
    m.writeRegister(GPR.RAX, size, low);
    m.writeRegister(GPR.RDX, size, m.fit(remainder, size));
  }
  m.next();
}

function divide64(m: MeaningBuilder, divisor: V, signed: boolean): void {
  const low = m.readRegister(GPR.RAX, 8);
  const high = m.readRegister(GPR.RDX, 8);
  let fits = signed ? m.eq(high, m.shrS(low, m.i64(63))) : m.eqz(high);
  if (signed) {
    const isMinimum = m.eq(low, m.i64(-(1n << 63n)));
    fits = m.and(fits, m.eqz(m.and(isMinimum, m.eq(divisor, m.i64(-1)))));
  }
  m.if(fits, () => {
    m.writeRegister(GPR.RAX, 8, signed ? m.divS(low, divisor) : m.divU(low, divisor));
    m.writeRegister(GPR.RDX, 8, signed ? m.remS(low, divisor) : m.remU(low, divisor));
    m.returnNext();
  });
  m.setState64(L.XMM_SCRATCH, divisor);
  m.setState32(L.XMM_SCRATCH + 8, m.i32(signed ? 1 : 0));
  m.assist(ASSIST_DIVIDE_128);
  m.ended();
}

/** Fixed number of the assist that divides 128 by 64 bits. */
export const ASSIST_DIVIDE_128 = 0;

const setConditions: Meaning[] = CONDITIONS.map((condition) => ({
  name: `set${condition}`,
  operands: ['rm'],
  sizes: [[1]],
  emit: (m, [target]) => {
    target.write(m.condition(condition));
    m.next();
  },
}));

const conditionalMoves: Meaning[] = CONDITIONS.map((condition) => ({
  name: `cmov${condition}`,
  operands: ['r', 'rm'],
  sizes: SAME_2_NO_BYTE,
  emit: (m, [to, from]) => {
    // The source is read whatever the condition; a 32-bit form always clears the upper half.
    const value = from.read();
    to.write(m.select(m.condition(condition), value, to.read()));
    m.next();
  },
}));

export const ARITHMETIC: readonly Meaning[] = [
  ...binary('add', (m, a, b, size) => m.addWithFlags(a, b, size)),
  ...binary('adc', (m, a, b, size) => m.addWithFlags(a, b, size, m.carry())),
  ...binary('sub', (m, a, b, size) => m.subWithFlags(a, b, size)),
  ...binary('sbb', (m, a, b, size) => m.subWithFlags(a, b, size, m.carry())),
  ...binary('and', logic('and')),
  ...binary('or', logic('or')),
  ...binary('xor', logic('xor')),
  ...compare('cmp', (m, a, b, size) => m.subWithFlags(a, b, size)),
  ...compare('test', (m, a, b, size) => m.logicFlags(m.and(a, b), size)),
  step('inc', 1),
  step('dec', -1),
  neg,
  not,
  exchangeAdd,
  compareExchange,
  compareExchangePair('cmpxchg8b', 4),
  compareExchangePair('cmpxchg16b', 8),
  multiply('mul', false),
  multiply('imul', true),
  imul2,
  imul3,
  divide('div', false),
  divide('idiv', true),
  ...setConditions,
  ...conditionalMoves,
];
