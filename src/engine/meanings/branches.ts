import { CONDITIONS, type Size } from '../emit/builder.ts';
import type { Meaning } from './meaning.ts';

const conditionalJumps: Meaning[] = CONDITIONS.map((condition) => ({
  name: `j${condition}`,
  operands: [],
  sizes: [[]],
  emit: (m) => {
    m.if(m.condition(condition), () => m.takeBranch());
    m.next();
  },
}));

const jumpNear: Meaning = {
  name: 'jmp.near',
  operands: [],
  sizes: [[]],
  emit: (m) => {
    m.takeBranch();
    m.ended();
  },
};

/** Indirect near JMP. */
const jumpIndirect: Meaning = {
  name: 'jmp',
  operands: ['rm'],
  sizes: [[2], [4], [8]],
  emit: (m, [target]) => {
    m.jump(m.extendU(target.read()));
    m.ended();
  },
};

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
function loops(name: string, condition?: 'e' | 'ne'): Meaning {
  return {
    name,
    operands: ['i'],
    sizes: [[2], [4], [8]],
    emit: (m, _, [size]) => {
      const left = m.sub(m.readRegister(1, size), m.num(size, 1));
      const count = size === 2 ? m.zeroExtend(left, 2) : left;
      m.writeRegister(1, size, count);
      let taken = m.ne(count, m.num(size, 0));
      if (condition !== undefined) taken = m.and(taken, m.condition(condition));
      m.if(taken, () => m.takeBranch());
      m.next();
    },
  };
}

const jumpIfCountZero: Meaning = {
  name: 'jcxz',
  operands: ['i'],
  sizes: [[2], [4], [8]],
  emit: (m, _, [size]) => {
    m.if(m.eqz(m.readRegister(1, size)), () => m.takeBranch());
    m.next();
  },
};

export const BRANCHES: readonly Meaning[] = [
  ...conditionalJumps,
  jumpNear,
  jumpIndirect,
  ...calls(true),
  ...calls(false),
  loops('loop'),
  loops('loope', 'e'),
  loops('loopne', 'ne'),
  jumpIfCountZero,
];
