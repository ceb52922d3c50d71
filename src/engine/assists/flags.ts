import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { Core } from '../core/core.ts';
import { type Assist, type Outcome, peekStack, popBytes, push, stackOperandSize } from './operand.ts';
import { CR4, RFLAGS } from '../../x86/registers.ts';

const { ALL, AC, IF, IOPL, RF, VM, VIF, VIP } = RFLAGS;
/** Everything POPF may change at CPL 0: status, TF IF DF IOPL NT AC ID. */
const POPPABLE = ALL & ~(RF | VM | VIF | VIP);

const pushFlags: Assist = (p, d) => {
  const { state } = p;
  if (state.virtual8086 && state.iopl < 3) throw new GuestFault(VECTOR.GP, 0);
  push(p, BigInt(state.rflags & ~(RF | VM)), stackOperandSize(p, d));
  return 'next';
};

const popFlags: Assist = (p, d) => {
  const { state } = p;
  if (state.virtual8086 && state.iopl < 3) throw new GuestFault(VECTOR.GP, 0);
  const size = stackOperandSize(p, d);
  const value = Number(peekStack(p, size) & 0xffff_ffffn);
  popBytes(p, size);
  let mask = size === 2 ? POPPABLE & 0xffff : POPPABLE;
  if (state.protectedMode) {
    if (state.cpl > 0 || state.virtual8086) mask &= ~IOPL;
    if (!state.virtual8086 && state.cpl > state.iopl) mask &= ~IF;
  }
  const cleared = size === 2 ? 0 : RF;
  const before = state.rflags;
  state.rflags = (before & ~mask & ~cleared) | (value & mask);
  return afterFlags(p, before);
};

/** RFLAGS changed as a whole: AC and traps may matter now. */
function afterFlags(p: Core, before: number): Outcome {
  p.flagsLoaded();
  if (((before ^ p.state.rflags) & AC) === 0) return 'next';
  p.mmu.select();
  return 'serialize';
}

const clearInterrupt: Assist = (p) => {
  const { state, memory } = p;
  if (!state.protectedMode || state.cpl <= state.iopl) {
    memory.write32(L.FLAGS_REST, memory.read32(L.FLAGS_REST) & ~IF);
    return 'next';
  }
  if (state.cpl === 3 && !state.virtual8086 && (state.cr4 & CR4.PVI) !== 0) {
    memory.write32(L.FLAGS_REST, memory.read32(L.FLAGS_REST) & ~VIF);
    return 'next';
  }
  throw new GuestFault(VECTOR.GP, 0);
};

const setInterrupt: Assist = (p) => {
  const { state, memory } = p;
  if (!state.protectedMode || state.cpl <= state.iopl) {
    if (!state.flag(IF)) p.shadow(1);
    memory.write32(L.FLAGS_REST, memory.read32(L.FLAGS_REST) | IF);
    return 'next';
  }
  if (state.cpl === 3 && !state.virtual8086 && (state.cr4 & CR4.PVI) !== 0 && !state.flag(VIP)) {
    memory.write32(L.FLAGS_REST, memory.read32(L.FLAGS_REST) | VIF);
    return 'next';
  }
  throw new GuestFault(VECTOR.GP, 0);
};

/** STAC and CLAC: CPL 0 only, whether or not CR4.SMAP is set. SDM Vol. 2, CLAC. */
const alignmentCheck =
  (set: boolean): Assist =>
  (p) => {
    if (p.state.cpl !== 0) throw new GuestFault(VECTOR.UD);
    const rest = p.memory.read32(L.FLAGS_REST);
    p.memory.write32(L.FLAGS_REST, set ? rest | AC : rest & ~AC);
    p.mmu.select();
    return 'next';
  };

export const FLAG_ASSISTS: Readonly<Record<string, Assist>> = {
  pushf: pushFlags,
  pushfd: pushFlags,
  pushfq: pushFlags,
  popf: popFlags,
  popfd: popFlags,
  popfq: popFlags,
  cli: clearInterrupt,
  sti: setInterrupt,
  stac: alignmentCheck(true),
  clac: alignmentCheck(false),
};
