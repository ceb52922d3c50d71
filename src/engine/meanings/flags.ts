import type { MeaningBuilder } from '../emit/builder.ts';
import * as L from '../state/layout.ts';
import type { Meaning } from './meaning.ts';
import { ASSIST_BY_SITE } from './pseudo.ts';
import { GPR, RFLAGS } from '../../x86/registers.ts';

const { DF, IF, RF, VM } = RFLAGS;

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

const AH = L.GPR + 1;

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
    m.writeSlot(m.i32(AH), 1, ah);
  }),
  simple('sahf', (m) => {
    const ah = m.readSlot(m.i32(AH), 1);
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
      m.writeRegister(GPR.RCX, 4, m.wrap(m.state64(L.TSC_AUX)));
      m.next();
    },
  },
];

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
        m.setState32(L.SHADOW_TICKS, m.instruction.ticks());
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
      const rest = m.and(m.state32(L.FLAGS_REST), m.i32(~(RF | VM)));
      m.push64or(8, m.extendU(m.or(m.or(status, rest), m.i32(2))), true);
      m.next();
    },
  },
];

function emitTimeStamp(m: MeaningBuilder): void {
  const elapsed = m.sub(m.state32(L.TSC_TICKS), m.instruction.ticks());
  const now = m.add(m.state64(L.TSC_BASE), m.mul(m.extendS(elapsed), m.extendU(m.state32(L.TSC_PER_TICK))));
  m.writeRegister(GPR.RAX, 4, m.wrap(now));
  m.writeRegister(GPR.RDX, 4, m.wrap(m.shrU(now, m.i64(32))));
}

export const FLAGS: readonly Meaning[] = [...flagInstructions, ...interruptFlag];
