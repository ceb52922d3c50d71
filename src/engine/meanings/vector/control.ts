import type { MeaningBuilder, V } from '../../emit/builder.ts';
import * as L from '../../state/layout.ts';
import type { Meaning } from '../meaning.ts';
import { checkX87, enterMmx, readAligned } from './operands.ts';
import { SLOW, slowly, slowVector } from './slow.ts';
import { VECTOR } from '../../../x86/exceptions.ts';
import { GPR } from '../../../x86/registers.ts';

const RESERVED_MXCSR = 0xffff0000;

/** LDMXCSR: reserved bits are #GP(0). SDM Vol. 2A. */
const loadControl: Meaning = {
  name: 'ldmxcsr',
  operands: ['m'],
  sizes: [[4]],
  emit: (m, [from]) => {
    const value = from.read();
    m.if(m.and(value, m.i32(RESERVED_MXCSR | 0)), () => m.raise(VECTOR.GP));
    m.setState32(L.MXCSR, value);
    m.next();
  },
};

const storeControl: Meaning = {
  name: 'stmxcsr',
  operands: ['m'],
  sizes: [[4]],
  emit: (m, [to]) => {
    to.write(m.state32(L.MXCSR));
    m.next();
  },
};

/** EMMS: all x87 registers become empty, TOP 0. SDM Vol. 3, Table 12-2. */
const emptyMmx: Meaning = {
  name: 'emms',
  operands: [],
  sizes: [[]],
  emit: (m) => {
    checkX87(m);
    enterMmx(m);
    m.store(m.i32(0), m.i32(0xffff), 2, L.FTW);
    m.next();
  },
};

/** An explicit length in rAX or rDX, as a number from 0 to 16 (or more: the assist stops at the vector's end). */
function explicitLength(m: MeaningBuilder, register: number, wide: boolean): V {
  if (!wide) return lengthOf(m, m.extendS(m.readRegister(register, 4)));
  return lengthOf(m, m.readRegister(register, 8));
}

function lengthOf(m: MeaningBuilder, value: V): V {
  const magnitude = m.select(m.ltS(value, m.i64(0)), m.neg(value), value);
  // The magnitude of the least number is itself, and as an unsigned number above the limit.
  return m.wrap(m.select(m.gtU(magnitude, m.i64(16)), m.i64(16), magnitude));
}

/** PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM: index to ECX or mask to XMM0, and all status flags. */
function compareStrings(name: string, explicit: boolean, wide: boolean): Meaning {
  const operation = wide ? name.slice(0, -2) : name;
  return {
    name,
    operands: ['r', 'rm', 'i'],
    sizes: [[16, 16, 1]],
    emit: (m, [left, right, immediate]) => {
      // The memory operand need not be aligned. SDM Vol. 2, 4.1.
      const b = right.read();
      const lengths = explicit
        ? m.or(explicitLength(m, 0, wide), m.shl(explicitLength(m, 2, wide), m.i32(8)))
        : m.i32(0);
      m.setState32(SLOW.lengths, lengths);
      slowly(m, operation, left.read(), b, immediate.read());
      const flags = m.state32(SLOW.lengths);
      if (operation.endsWith('m')) m.storeVector(m.i32(L.XMM), slowVector(m));
      else m.writeRegister(GPR.RCX, 4, m.load('i32', m.i32(SLOW.result), 4));
      const bit = (n: number): V => m.and(m.shrU(flags, m.i32(n)), m.i32(1));
      m.setStatusFlags({ cf: bit(0), pf: m.i32(0), af: m.i32(0), zf: bit(6), sf: bit(7), of: bit(11) });
      m.next();
    },
  };
}

const sumsOfDifferences: Meaning = {
  name: 'mpsadbw',
  operands: ['r', 'rm', 'i'],
  sizes: [[16, 16, 1]],
  emit: (m, [to, from, immediate]) => {
    const b = readAligned(m, from);
    slowly(m, 'mpsadbw', to.read(), b, immediate.read());
    to.write(slowVector(m));
    m.next();
  },
};

/** MXCSR, EMMS, text comparison. SDM Vol. 1, 9.4.8, 10.4.5, 12.12.1. */
export const VECTOR_CONTROL: readonly Meaning[] = [
  loadControl,
  storeControl,
  emptyMmx,
  sumsOfDifferences,
  compareStrings('pcmpestri', true, false),
  compareStrings('pcmpestri64', true, true),
  compareStrings('pcmpestrm', true, false),
  compareStrings('pcmpestrm64', true, true),
  compareStrings('pcmpistri', false, false),
  compareStrings('pcmpistrm', false, false),
];
