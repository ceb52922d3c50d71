import type { MeaningBuilder, Operand, Size, V } from '../emit/builder.ts';
import * as L from '../state/layout.ts';
import { type Meaning, SAME_2, SAME_2_NO_BYTE, type Operands, type Sizes } from './meaning.ts';
import { GPR } from '../../x86/registers.ts';

const move: Meaning[] = [
  { name: 'mov', operands: ['rm', 'ri'], sizes: SAME_2, emit: emitMove },
  { name: 'mov', operands: ['r', 'm'], sizes: SAME_2, emit: emitMove },
];

function emitMove(m: MeaningBuilder, [to, from]: Operands): void {
  to.write(from.read());
  m.next();
}

function extend(name: string, sizes: readonly (readonly Size[])[], signed: boolean): Meaning {
  return {
    name,
    operands: ['r', 'rm'],
    sizes,
    emit: (m, [to, from], [toSize, fromSize]) => {
      const value = from.read();
      const wide = signed ? m.wide(value, fromSize) : m.extendU(value);
      to.write(m.fit(wide, toSize));
      m.next();
    },
  };
}

const loadAddress: Meaning = {
  name: 'lea',
  operands: ['r', 'm'],
  sizes: [
    [2, 0 as Size],
    [4, 0 as Size],
    [8, 0 as Size],
  ],
  emit: (m, [to, from], [size]) => {
    to.write(m.fit(m.effectiveAddress(from.kind), size));
    m.next();
  },
};

const exchange: Meaning = {
  name: 'xchg',
  operands: ['rm', 'r'],
  sizes: SAME_2,
  emit: (m, [a, b]) => {
    const old = a.readForWrite();
    const other = b.read();
    if (a.kind === 'r') {
      b.write(old);
      a.write(other);
    } else {
      a.write(other);
      b.write(old);
    }
    m.next();
  },
};

function reverseBytes(m: MeaningBuilder, value: V, size: Size): V {
  if (size === 2) {
    return m.zeroExtend(m.or(m.shl(value, m.i32(8)), m.shrU(value, m.i32(8))), 2);
  }
  if (size === 4) {
    const swapped = m.or(
      m.and(m.rotl(value, m.i32(8)), m.i32(0x00ff00ff)),
      m.and(m.rotr(value, m.i32(8)), m.i32(0xff00ff00 | 0)),
    );
    return swapped;
  }
  const high = reverseBytes(m, m.wrap(value), 4);
  const low = reverseBytes(m, m.wrap(m.shrU(value, m.i64(32))), 4);
  return m.or(m.shl(m.extendU(high), m.i64(32)), m.extendU(low));
}

const byteSwap: Meaning = {
  name: 'bswap',
  operands: ['r'],
  sizes: [[2], [4], [8]],
  emit: (m, [target], [size]) => {
    // The 16-bit form is undefined; processors give zero.
    target.write(size === 2 ? m.i32(0) : reverseBytes(m, target.read(), size));
    m.next();
  },
};

const moveBigEndian: Meaning[] = [
  { name: 'movbe', operands: ['r', 'm'], sizes: SAME_2_NO_BYTE, emit: emitReversed },
  { name: 'movbe', operands: ['m', 'r'], sizes: SAME_2_NO_BYTE, emit: emitReversed },
];

function emitReversed(m: MeaningBuilder, [to, from]: Operands, [size]: Sizes): void {
  to.write(reverseBytes(m, from.read(), size));
  m.next();
}

/** CBW CWDE CDQE and CWD CDQ CQO: no explicit operands. */
function widen(name: string, from: Size, to: Size): Meaning {
  return {
    name,
    operands: [],
    sizes: [[]],
    emit: (m) => {
      m.writeRegister(GPR.RAX, to, m.fit(m.wide(m.readRegister(GPR.RAX, from), from), to));
      m.next();
    },
  };
}

function spreadSign(name: string, size: Size): Meaning {
  return {
    name,
    operands: [],
    sizes: [[]],
    emit: (m) => {
      const sign = m.shrS(m.wide(m.readRegister(GPR.RAX, size), size), m.i64(63));
      m.writeRegister(GPR.RDX, size, m.fit(sign, size));
      m.next();
    },
  };
}

/** PUSH: stack kind is the last size: 0 flat (64-bit mode), 1 checked. */
function pushes(flat: boolean): Meaning[] {
  const name = flat ? 'push.flat' : 'push.checked';
  return [
    {
      name,
      operands: ['rmi'],
      sizes: flat ? [[2], [8]] : [[2], [4]],
      emit: (m, [source], [size]) => {
        m.push64or(size, source.read(), flat);
        m.next();
      },
    },
  ];
}

function pops(flat: boolean): Meaning[] {
  const name = flat ? 'pop.flat' : 'pop.checked';
  return [
    {
      name,
      operands: ['rm'],
      sizes: flat ? [[2], [8]] : [[2], [4]],
      emit: (m, [target], [size]) => {
        const value = m.top(size, flat);
        if (target.kind === 'r') {
          m.popped(m.i64(size), flat);
          target.write(value);
        } else {
          // An rsp-based address uses rsp after the pop; a fault must leave rsp alone. SDM Vol. 2B, POP.
          const old = m.readRegister(GPR.RSP, 8);
          m.popped(m.i64(size), flat);
          const linear = popAddress(m, target, size, old);
          m.storeLinear(linear, size, value);
          m.popped(m.i64(size), flat);
        }
        m.next();
      },
    },
  ];
}

/** Address of POP m with rsp already moved; rsp is put back before anything can fault. */
function popAddress(m: MeaningBuilder, target: Operand, size: Size, oldRsp: V): V {
  const offset = m.effectiveAddress(target.kind);
  m.writeRegister(GPR.RSP, 8, oldRsp);
  return target.kind === 'mA' ? offset : m.inSegment(offset, size, target.kind === 'mB', true);
}

function leave(flat: boolean): Meaning {
  return {
    name: flat ? 'leave.flat' : 'leave.checked',
    operands: [],
    sizes: flat ? [[8], [2]] : [[4], [2]],
    emit: (m, _, [size]) => {
      const frame = m.readRegister(GPR.RBP, 8);
      if (flat) {
        const value = m.loadLinear(frame, size);
        m.writeRegister(GPR.RSP, 8, m.add(frame, m.i64(size)));
        m.writeRegister(GPR.RBP, size, value);
      } else {
        const mask = m.state64(L.STACK_MASK);
        const offset = m.and(frame, mask);
        const value = m.loadLinear(m.checkedLinear(m.i32(2), offset, size, false), size);
        const moved = m.and(m.add(frame, m.i64(size)), mask);
        m.writeRegister(GPR.RSP, 8, m.or(m.and(m.readRegister(GPR.RSP, 8), m.not(mask)), moved));
        m.writeRegister(GPR.RBP, size, value);
      }
      m.next();
    },
  };
}

const nothing = (name: string): Meaning[] => [
  { name, operands: [], sizes: [[]], emit: (m) => m.next() },
  { name, operands: ['rm'], sizes: [[2], [4], [8]], emit: (m) => m.next() },
  { name, operands: ['m'], sizes: [[1]], emit: (m) => m.next() },
  { name, operands: ['rm', 'r'], sizes: SAME_2_NO_BYTE, emit: (m) => m.next() },
];

const translateByte: Meaning = {
  name: 'xlatb',
  operands: ['m'],
  sizes: [[1]],
  emit: (m, [table]) => {
    m.writeRegister(GPR.RAX, 1, table.read());
    m.next();
  },
};

export const MOVES: readonly Meaning[] = [
  ...move,
  extend(
    'movzx',
    [
      [2, 1],
      [4, 1],
      [8, 1],
      [4, 2],
      [8, 2],
      [2, 2],
    ],
    false,
  ),
  extend(
    'movsx',
    [
      [2, 1],
      [4, 1],
      [8, 1],
      [4, 2],
      [8, 2],
      [2, 2],
    ],
    true,
  ),
  extend(
    'movsxd',
    [
      [8, 4],
      [4, 4],
      [2, 4],
      [2, 2],
    ],
    true,
  ),
  loadAddress,
  exchange,
  byteSwap,
  ...moveBigEndian,
  widen('cbw', 1, 2),
  widen('cwde', 2, 4),
  widen('cdqe', 4, 8),
  spreadSign('cwd', 2),
  spreadSign('cdq', 4),
  spreadSign('cqo', 8),
  ...pushes(true),
  ...pushes(false),
  ...pops(true),
  ...pops(false),
  leave(true),
  leave(false),
  translateByte,
  ...[
    'nop',
    'fnop',
    'endbr64',
    'endbr32',
    'lfence',
    'mfence',
    'sfence',
    'prefetcht0',
    'prefetcht1',
    'prefetcht2',
    'prefetchnta',
    'prefetchw',
    'prefetch',
    'prefetchwt1',
    'reservednop',
    'clflush',
    'clflushopt',
    'clwb',
    'cldemote',
  ].flatMap(nothing),
];
