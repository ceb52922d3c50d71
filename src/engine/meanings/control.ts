import { CONDITIONS, FN, GLOBAL, type MeaningBuilder, type Size } from '../builder.ts';
import * as L from '../layout.ts';
import type { Meaning } from './meaning.ts';

/** Where near branches may lead: anywhere, or within a code segment that ends before 4 GiB. */
type Reach = 'all' | 'limited';

const suffix = (reach: Reach): string => (reach === 'all' ? '' : '.limited');

function jumps(reach: Reach): Meaning[] {
  const take = (m: MeaningBuilder): void =>
    reach === 'all' ? m.takeBranch() : m.takeBranchTo(m.targetWithin());
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
        m.result(m.i32(0));
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
        m.result(m.i32(0));
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
      m.if(m.eqz(m.readRegister(1, size)), () => take(m));
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
      m.result(m.i32(0));
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
      m.result(m.i32(0));
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
      m.result(m.i32(0));
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
        m.result(m.i32(0));
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
        m.result(m.i32(0));
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
        m.result(m.i32(0));
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
      const left = m.sub(m.readRegister(1, size), m.num(size, 1));
      const count = size === 2 ? m.zeroExtend(left, 2) : left;
      let taken = m.ne(count, m.num(size, 0));
      if (condition !== undefined) taken = m.and(taken, m.condition(condition));
      if (reach === 'limited') {
        m.if(taken, () => {
          const to = m.targetWithin();
          m.writeRegister(1, size, count);
          m.takeBranchTo(to);
        });
        m.writeRegister(1, size, count);
      } else {
        m.writeRegister(1, size, count);
        m.if(taken, () => m.takeBranch());
      }
      m.next();
    },
  };
}

function resume(m: MeaningBuilder): void {
  m.refundTick();
  const sum = m.add(m.state64(L.RIP_PAGE), m.extendU(m.field(L.R_OFFSET, 2)));
  m.result(m.call(FN.lookup, [m.and(sum, m.state64(L.RIP_MASK))], 'i32'));
}

/** Pseudo-instructions of the decoder: they retire nothing. */
const pseudo: Meaning[] = [
  // The end of a page, and what stands where code was overwritten: look rip up again.
  { name: 'resume', operands: [], sizes: [[]], emit: resume },
  {
    name: 'goto',
    operands: [],
    sizes: [[]],
    emit: (m) => {
      m.refundTick();
      m.result(m.field(L.R_TARGET, 4));
    },
  },
  {
    name: 'assist',
    operands: [],
    sizes: [[]],
    emit: (m) => m.result(m.call(FN.assist, [m.field(L.R_TARGET, 4), m.record], 'i32')),
  },
  {
    // Stands before an instruction that may have a debugger's breakpoint.
    name: 'check',
    operands: [],
    sizes: [[]],
    emit: (m) => {
      m.refundTick();
      m.result(m.call(FN.assist, [m.i32(ASSIST_CHECK), m.record], 'i32'));
    },
  },
  {
    // Like `assist`, but a pseudo-instruction.
    name: 'crossing',
    operands: [],
    sizes: [[]],
    emit: (m) => {
      m.refundTick();
      m.result(m.call(FN.assist, [m.i32(ASSIST_CROSSING), m.record], 'i32'));
    },
  },
];

/** Assist number of the check for a debugger's breakpoint. */
export const ASSIST_CHECK = 4;
/** Assist number that means: the routine is named by the record's site. */
export const ASSIST_BY_SITE = 2;
/** Fixed number of the assist that enters an instruction lying on two pages. */
export const ASSIST_CROSSING = 1;

const DF = 1 << 10;

function simple(name: string, body: (m: MeaningBuilder) => void): Meaning {
  return {
    name,
    operands: [],
    sizes: [[]],
    emit: (m) => {
      body(m);
      m.next();
    },
  };
}

const flagInstructions: Meaning[] = [
  simple('clc', (m) => m.replaceCarry(m.i32(0))),
  simple('stc', (m) => m.replaceCarry(m.i32(1))),
  simple('cmc', (m) => m.replaceCarry(m.eqz(m.carry()))),
  simple('cld', (m) => m.setState32(L.FLAGS_REST, m.and(m.state32(L.FLAGS_REST), m.i32(~DF)))),
  simple('std', (m) => m.setState32(L.FLAGS_REST, m.or(m.state32(L.FLAGS_REST), m.i32(DF)))),
  simple('lahf', (m) => {
    const at = (v: ReturnType<MeaningBuilder['carry']>, by: number) => m.shl(v, m.i32(by));
    const ah = m.or(
      m.or(m.or(m.carry(), m.i32(2)), at(m.parity(), 2)),
      m.or(m.or(at(m.adjust(), 4), at(m.zero(), 6)), at(m.sign(), 7)),
    );
    m.store(m.i32(L.GPR + 1), ah, 1);
  }),
  simple('sahf', (m) => {
    const ah = m.load('i32', m.i32(L.GPR + 1), 1);
    const bit = (n: number) => m.and(m.shrU(ah, m.i32(n)), m.i32(1));
    m.setStatusFlags({ cf: bit(0), pf: bit(2), af: bit(4), zf: bit(6), sf: bit(7), of: m.overflow() });
  }),
  {
    // RDTSC without an exit: guest TSC from the retired-instruction counter.
    name: 'rdtsc.fast',
    operands: [],
    sizes: [[]],
    emit: (m) => {
      emitTimeStamp(m);
      m.next();
    },
  },
  {
    name: 'rdtscp.fast',
    operands: [],
    sizes: [[]],
    emit: (m) => {
      emitTimeStamp(m);
      m.writeRegister(1, 4, m.wrap(m.state64(L.TSC_AUX)));
      m.next();
    },
  },
];

const IF = 1 << 9;
const VM = 1 << 17;

/** CPL <= IOPL outside virtual-8086 mode, or real mode (CPL and IOPL then do not count). */
function mayMaskInterrupts(m: MeaningBuilder): ReturnType<MeaningBuilder['carry']> {
  const rest = m.state32(L.FLAGS_REST);
  const iopl = m.and(m.shrU(rest, m.i32(12)), m.i32(3));
  const isReal = m.eqz(m.and(m.state32(L.CR0), m.i32(1)));
  const enough = m.and(m.leU(m.state32(L.CPL), iopl), m.eqz(m.and(rest, m.i32(VM))));
  return m.or(isReal, enough);
}

/** CLI and STI where they are simply allowed; the rest is the assist's. SDM Vol. 2. */
const interruptFlag: Meaning[] = [
  {
    name: 'cli',
    operands: [],
    sizes: [[]],
    emit: (m) => {
      m.if(m.eqz(mayMaskInterrupts(m)), () => m.assist(ASSIST_BY_SITE));
      m.setState32(L.FLAGS_REST, m.and(m.state32(L.FLAGS_REST), m.i32(~IF)));
      m.next();
    },
  },
  {
    name: 'sti',
    operands: [],
    sizes: [[]],
    emit: (m) => {
      const windowed = m.state32(L.WINDOW_WANTED);
      m.if(m.or(m.eqz(mayMaskInterrupts(m)), windowed), () => m.assist(ASSIST_BY_SITE));
      const rest = m.state32(L.FLAGS_REST);
      m.if(m.eqz(m.and(rest, m.i32(IF))), () => {
        m.setState32(L.SHADOW_TICKS, m.globalGet(GLOBAL.ticks, 'i32'));
      });
      m.setState32(L.FLAGS_REST, m.or(rest, m.i32(IF)));
      m.next();
    },
  },
  {
    // PUSHFQ in 64-bit mode.
    name: 'pushfq',
    operands: [],
    sizes: [[]],
    emit: (m) => {
      const at = (v: ReturnType<MeaningBuilder['carry']>, by: number) => m.shl(v, m.i32(by));
      const status = m.or(
        m.or(m.or(m.carry(), at(m.parity(), 2)), m.or(at(m.adjust(), 4), at(m.zero(), 6))),
        m.or(at(m.sign(), 7), at(m.overflow(), 11)),
      );
      const rest = m.and(m.state32(L.FLAGS_REST), m.i32(~((1 << 16) | VM)));
      m.push64or(8, m.extendU(m.or(m.or(status, rest), m.i32(2))), true);
      m.next();
    },
  },
];

function emitTimeStamp(m: MeaningBuilder): void {
  const elapsed = m.sub(m.state32(L.TSC_TICKS), m.globalGet(GLOBAL.ticks, 'i32'));
  const now = m.add(m.state64(L.TSC_BASE), m.mul(m.extendS(elapsed), m.extendU(m.state32(L.TSC_PER_TICK))));
  m.writeRegister(0, 4, m.wrap(now));
  m.writeRegister(2, 4, m.wrap(m.shrU(now, m.i64(32))));
}

export const CONTROL: readonly Meaning[] = [
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
  ...pseudo,
  ...flagInstructions,
  ...interruptFlag,
];

