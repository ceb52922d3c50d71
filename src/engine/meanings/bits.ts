import type { MeaningBuilder, Operand, Size, V } from '../emit/builder.ts';
import { multiplyHighUnsigned } from './arithmetic.ts';
import { type Meaning, SAME_2_NO_BYTE, type Operands, type Sizes } from './meaning.ts';
import { GPR } from '../../x86/registers.ts';

type BitChange = 'bt' | 'bts' | 'btr' | 'btc';

function changed(m: MeaningBuilder, name: BitChange, value: V, mask: V): V {
  if (name === 'bts') return m.or(value, mask);
  if (name === 'btr') return m.and(value, m.not(mask));
  return m.xor(value, mask);
}

/** BT BTS BTR BTC: a register index reaches outside a memory operand. SDM Vol. 2A, BT. */
function bitTest(name: BitChange): Meaning[] {
  const emit = (m: MeaningBuilder, [target, index]: Operands, [size]: Sizes): void => {
    const bits = 8 * size;
    const position = index.kind === 'i' ? m.fit(index.read(), size) : index.read();
    const low = m.and(position, m.num(size, bits - 1));
    const mask = m.shl(m.num(size, 1), low);
    const farIndex = target.kind !== 'r' && index.kind === 'r';
    const result = farIndex ? testInMemory(m, name, target, position, mask, size) : testInPlace(m, name, target, mask);
    m.replaceCarry(m.eqz(m.eqz(m.and(result, mask))));
    m.next();
  };
  return [
    { name, operands: ['rm', 'r'], sizes: SAME_2_NO_BYTE, emit },
    {
      name,
      operands: ['rm', 'i'],
      sizes: [
        [2, 1],
        [4, 1],
        [8, 1],
      ],
      emit,
    },
  ];
}

function testInPlace(m: MeaningBuilder, name: BitChange, target: Operand, mask: V): V {
  if (name === 'bt') return target.read();
  const value = target.readForWrite();
  target.write(changed(m, name, value, mask));
  return value;
}

function testInMemory(m: MeaningBuilder, name: BitChange, target: Operand, position: V, mask: V, size: Size): V {
  const shift = m.i64(size === 2 ? 4 : size === 4 ? 5 : 6);
  const bytes = m.shl(m.shrS(m.wide(position, size), shift), m.i64(size === 2 ? 1 : size === 4 ? 2 : 3));
  const linear = m.linearAddress(target.kind, size, name !== 'bt', bytes);
  const pointer = m.pointer(linear, size, name === 'bt' ? 'read' : 'readWrite');
  const value = m.loadAt(pointer, size);
  if (name !== 'bt') {
    m.storeAt(pointer, size, changed(m, name, value, mask));
    m.commit(pointer);
  }
  return value;
}

/** BSF and BSR leave the destination alone when the source is zero; ZF tells. */
function scan(name: 'bsf' | 'bsr'): Meaning {
  return {
    name,
    operands: ['r', 'rm'],
    sizes: SAME_2_NO_BYTE,
    emit: (m, [to, from], [size]) => {
      const value = from.read();
      const top = size === 8 ? 63 : 31;
      const index = name === 'bsf' ? m.ctz(value) : m.xor(m.clz(value), m.num(size, top));
      m.logicFlags(value, size);
      m.if(m.ne(value, m.num(size, 0)), () => to.write(index));
      m.next();
    },
  };
}

/** TZCNT LZCNT: CF = source was zero, ZF = result is zero. */
function count(name: 'tzcnt' | 'lzcnt'): Meaning {
  return {
    name,
    operands: ['r', 'rm'],
    sizes: SAME_2_NO_BYTE,
    emit: (m, [to, from], [size]) => {
      const value = from.read();
      let result: V;
      if (name === 'tzcnt') result = m.ctz(size === 2 ? m.or(value, m.i32(0x10000)) : value);
      else result = size === 2 ? m.sub(m.clz(value), m.i32(16)) : m.clz(value);
      to.write(result);
      m.resultFlags(result, size, m.eqz(value), m.i32(0));
      m.next();
    },
  };
}

const populationCount: Meaning = {
  name: 'popcnt',
  operands: ['r', 'rm'],
  sizes: SAME_2_NO_BYTE,
  emit: (m, [to, from], [_size]) => {
    const value = from.read();
    to.write(m.popcnt(value));
    const no = m.i32(0);
    m.setStatusFlags({ cf: no, pf: no, af: no, zf: m.eqz(value), sf: no, of: no });
    m.next();
  },
};

const BMI: readonly (readonly Size[])[] = [
  [4, 4],
  [8, 8],
];
const BMI_3: readonly (readonly Size[])[] = [
  [4, 4, 4],
  [8, 8, 8],
];

const andNot: Meaning = {
  name: 'andn',
  operands: ['r', 'r', 'rm'],
  sizes: BMI_3,
  emit: (m, [to, inverted, source], [size]) => {
    const result = m.and(m.not(inverted.read()), source.read());
    to.write(result);
    m.logicFlags(result, size);
    m.next();
  },
};

function lowestBit(name: 'blsi' | 'blsr' | 'blsmsk'): Meaning {
  return {
    name,
    operands: ['r', 'rm'],
    sizes: BMI,
    emit: (m, [to, from], [size]) => {
      const value = from.read();
      const less = m.sub(value, m.num(size, 1));
      const result = {
        blsi: () => m.and(m.neg(value), value),
        blsr: () => m.and(less, value),
        blsmsk: () => m.xor(less, value),
      }[name]();
      to.write(result);
      const carry = name === 'blsi' ? m.eqz(m.eqz(value)) : m.eqz(value);
      m.resultFlags(result, size, carry, m.i32(0));
      m.next();
    },
  };
}

const extractBits: Meaning = {
  name: 'bextr',
  operands: ['r', 'rm', 'r'],
  sizes: BMI_3,
  emit: (m, [to, from, control], [size]) => {
    const value = m.extendU(from.read());
    const word = m.extendU(control.read());
    const start = m.and(word, m.i64(0xff));
    const length = m.and(m.shrU(word, m.i64(8)), m.i64(0xff));
    const shifted = m.select(m.ltU(start, m.i64(64)), m.shrU(value, start), m.i64(0));
    const mask = m.sub(m.shl(m.i64(1), length), m.i64(1));
    const kept = m.select(m.ltU(length, m.i64(64)), m.and(shifted, mask), shifted);
    const result = m.fit(kept, size);
    to.write(result);
    m.logicFlags(result, size);
    m.next();
  },
};

const zeroHighBits: Meaning = {
  name: 'bzhi',
  operands: ['r', 'rm', 'r'],
  sizes: BMI_3,
  emit: (m, [to, from, control], [size]) => {
    const value = from.read();
    const index = m.and(m.extendU(control.read()), m.i64(0xff));
    const keepsAll = m.geU(index, m.i64(8 * size));
    const mask = m.sub(m.shl(m.i64(1), index), m.i64(1));
    const result = m.select(keepsAll, value, m.and(value, m.fit(mask, size)));
    to.write(result);
    m.resultFlags(result, size, keepsAll, m.i32(0));
    m.next();
  },
};

const multiplyExtended: Meaning = {
  name: 'mulx',
  operands: ['r', 'r', 'rm'],
  sizes: BMI_3,
  emit: (m, [high, low, from], [size]) => {
    const a = m.readRegister(GPR.RDX, size);
    const b = from.read();
    if (size === 8) {
      const top = multiplyHighUnsigned(m, a, b);
      low.write(m.mul(a, b));
      high.write(top);
    } else {
      const product = m.mul(m.extendU(a), m.extendU(b));
      low.write(m.wrap(product));
      high.write(m.wrap(m.shrU(product, m.i64(32))));
    }
    m.next();
  },
};

/** PDEP and PEXT, bit by bit over the mask. */
function depositOrExtract(name: 'pdep' | 'pext'): Meaning {
  return {
    name,
    operands: ['r', 'r', 'rm'],
    sizes: BMI_3,
    emit: (m, [to, from, selector], [size]) => {
      const source = m.variable('i64', m.extendU(from.read()));
      const mask = m.variable('i64', m.extendU(selector.read()));
      const result = m.variable('i64', m.i64(0));
      const position = m.variable('i64', m.i64(0));
      m.block((leave) => {
        m.loop((again) => {
          const rest = m.get(mask);
          leave(m.eqz(rest));
          const bit = m.and(rest, m.neg(rest));
          depositOrExtractBit(m, name, { source, result, position, bit });
          m.set(mask, m.xor(rest, bit));
          again();
        });
      });
      to.write(m.fit(m.get(result), size));
      m.next();
    },
  };
}

type Var = ReturnType<MeaningBuilder['variable']>;

function depositOrExtractBit(
  m: MeaningBuilder,
  name: 'pdep' | 'pext',
  v: { source: Var; result: Var; position: Var; bit: V },
): void {
  const position = m.get(v.position);
  const here = m.shl(m.i64(1), position);
  const [test, put] = name === 'pdep' ? [here, v.bit] : [v.bit, here];
  m.if(m.ne(m.and(m.get(v.source), test), m.i64(0)), () => {
    m.set(v.result, m.or(m.get(v.result), put));
  });
  m.set(v.position, m.add(position, m.i64(1)));
}

function addWithOneFlag(name: 'adcx' | 'adox'): Meaning {
  return {
    name,
    operands: ['r', 'rm'],
    sizes: BMI,
    emit: (m, [to, from], [size]) => {
      const a = to.read();
      const b = from.read();
      const flagIn = name === 'adcx' ? m.carry() : m.overflow();
      const sum = m.add(a, b);
      const result = m.add(sum, size === 8 ? m.extendU(flagIn) : flagIn);
      const out = m.or(m.ltU(sum, a), m.ltU(result, sum));
      const flags = { cf: m.carry(), pf: m.parity(), af: m.adjust(), zf: m.zero(), sf: m.sign(), of: m.overflow() };
      m.setStatusFlags(name === 'adcx' ? { ...flags, cf: out } : { ...flags, of: out });
      to.write(result);
      m.next();
    },
  };
}

/** CRC32, polynomial 11EDC6F41 reflected (82F63B78). SDM Vol. 2A. */
const crc32: Meaning = {
  name: 'crc32',
  operands: ['r', 'rm'],
  sizes: [
    [4, 1],
    [4, 2],
    [4, 4],
    [8, 1],
    [8, 8],
  ],
  emit: (m, [to, from], [, fromSize]) => {
    const value = m.extendU(from.read());
    const state = m.variable('i64', m.xor(m.and(m.extendU(to.read()), m.i64(0xffffffffn)), value));
    const left = m.variable('i32', m.i32(8 * fromSize));
    m.loop((again) => {
      const now = m.get(state);
      const feedback = m.and(m.neg(m.and(now, m.i64(1))), m.i64(0x82f63b78n));
      m.set(state, m.xor(m.shrU(now, m.i64(1)), feedback));
      const rest = m.sub(m.get(left), m.i32(1));
      m.set(left, rest);
      again(rest);
    });
    m.writeSlot(m.instruction.slot(0), 8, m.get(state));
    m.next();
  },
};

export const BITS: readonly Meaning[] = [
  ...(['bt', 'bts', 'btr', 'btc'] as const).flatMap(bitTest),
  scan('bsf'),
  scan('bsr'),
  count('tzcnt'),
  count('lzcnt'),
  populationCount,
  andNot,
  lowestBit('blsi'),
  lowestBit('blsr'),
  lowestBit('blsmsk'),
  extractBits,
  zeroHighBits,
  multiplyExtended,
  depositOrExtract('pdep'),
  depositOrExtract('pext'),
  addWithOneFlag('adcx'),
  addWithOneFlag('adox'),
  crc32,
];
