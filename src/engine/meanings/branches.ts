import { CONDITIONS, type MeaningBuilder, type Size } from '../emit/builder.ts';
import type { Meaning } from './meaning.ts';
import { GPR } from '../../x86/registers.ts';

/** Where near branches may lead: anywhere, or within a code segment that ends before 4 GiB. */
type Reach = 'all' | 'limited';

const suffix = (reach: Reach): string => (reach === 'all' ? '' : '.limited');

function jumps(reach: Reach): Meaning[] {
  const take = (m: MeaningBuilder): void => (reach === 'all' ? m.takeBranch() : m.takeBranchTo(m.targetWithin()));
  return [
    ...CONDITIONS.map((condition) => ({
      name: `j${condition}${suffix(reach)}`,
      operands: [],
      sizes: [[]],
      emit(m: MeaningBuilder) {
        m.if(m.condition(condition), () => take(m));
        m.next();
      },
    })),
    {
      name: `jmp.near${suffix(reach)}`,
      operands: [],
      sizes: [[]],
      emit: (m) => {
        take(m);
        m.ended();
      },
    },
    {
      // Indirect.
      name: `jmp${suffix(reach)}`,
      operands: ['rm'],
      sizes: reach === 'all' ? [[2], [4], [8]] : [[2], [4]],
      emit: (m, [target]) => {
        const to = m.extendU(target.read());
        m.jump(reach === 'all' ? to : m.within(to));
        m.ended();
      },
    },
    jumpIfCountZero(reach, take),
  ];
}

function jumpIfCountZero(reach: Reach, take: (m: MeaningBuilder) => void): Meaning {
  return {
    name: `jcxz${suffix(reach)}`,
    operands: ['i'],
    sizes: [[2], [4], [8]],
    emit: (m, _, [size]) => {
      m.if(m.eqz(m.readRegister(GPR.RCX, size)), () => take(m));
      m.next();
    },
  };
}

/** Near calls and returns in a segment that ends before 4 GiB: nothing has changed when the target is beyond it. */
const limitedCalls: Meaning[] = [
  {
    name: 'call.near.limited',
    operands: ['i'],
    sizes: [[2], [4]],
    emit: (m, _, [size]) => {
      const to = m.targetWithin();
      m.push64or(size, m.fit(m.nextRip(), size), false);
      m.takeBranchTo(to);
      m.ended();
    },
  },
  {
    name: 'call.limited',
    operands: ['rm'],
    sizes: [[2], [4]],
    emit: (m, [target], [size]) => {
      const to = m.within(m.extendU(target.read()));
      m.push64or(size, m.fit(m.nextRip(), size), false);
      m.jump(to);
      m.ended();
    },
  },
  {
    name: 'ret.limited',
    operands: ['i'],
    sizes: [[2], [4]],
    emit: (m, _, [size]) => {
      const to = m.within(m.extendU(m.top(size, false)));
      m.popped(m.add(m.i64(size), m.extendU(m.immediate(2))), false);
      m.jump(to);
      m.ended();
    },
  },
];

function calls(flat: boolean): Meaning[] {
  const stack = flat ? 'flat' : 'checked';
  const sizes: readonly (readonly Size[])[] = flat ? [[2], [8]] : [[2], [4]];
  return [
    {
      name: `call.near.${stack}`,
      operands: ['i'],
      sizes,
      emit: (m, _, [size]) => {
        m.push64or(size, m.fit(m.nextRip(), size), flat);
        m.takeBranch();
        m.ended();
      },
    },
    {
      name: `call.${stack}`,
      operands: ['rm'],
      sizes,
      emit: (m, [target], [size]) => {
        const to = m.extendU(target.read());
        m.push64or(size, m.fit(m.nextRip(), size), flat);
        m.jump(to);
        m.ended();
      },
    },
    {
      name: `ret.${stack}`,
      operands: ['i'],
      sizes,
      emit: (m, _, [size]) => {
        const to = m.extendU(m.top(size, flat));
        m.popped(m.add(m.i64(size), m.extendU(m.immediate(2))), flat);
        m.jump(to);
        m.ended();
      },
    },
  ];
}

/** LOOP LOOPE LOOPNE and JCXZ: the size is the address size. */
function loops(name: string, reach: Reach, condition?: 'e' | 'ne'): Meaning {
  return {
    name: `${name}${suffix(reach)}`,
    operands: ['i'],
    sizes: [[2], [4], [8]],
    emit: (m, _, [size]) => {
      const left = m.sub(m.readRegister(GPR.RCX, size), m.num(size, 1));
      const count = size === 2 ? m.zeroExtend(left, 2) : left;
      let taken = m.ne(count, m.num(size, 0));
      if (condition !== undefined) taken = m.and(taken, m.condition(condition));
      if (reach === 'limited') {
        m.if(taken, () => {
          const to = m.targetWithin();
          m.writeRegister(GPR.RCX, size, count);
          m.takeBranchTo(to);
        });
        m.writeRegister(GPR.RCX, size, count);
      } else {
        m.writeRegister(GPR.RCX, size, count);
        m.if(taken, () => m.takeBranch());
      }
      m.next();
    },
  };
}

export const BRANCHES: readonly Meaning[] = [
  ...jumps('all'),
  ...jumps('limited'),
  ...calls(true),
  ...calls(false),
  ...limitedCalls,
  ...(['all', 'limited'] as const).flatMap((reach) => [
    loops('loop', reach),
    loops('loope', reach, 'e'),
    loops('loopne', reach, 'ne'),
  ]),
];
