import type { DecodedInstruction } from '../code/instruction.ts';
import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { Core } from '../core/core.ts';
import { enterCode } from './descriptor.ts';
import { type Assist, peekStack, popBytes } from './operand.ts';
import { checkOffset, checkReturnCode, isReal, leaveTo, loadRealCode, taskSwitchExit } from './far-checks.ts';
import { DATA_SEGMENTS, GPR, RFLAGS, SEG } from '../../x86/registers.ts';

const { ALL, IF, IOPL, NT, VIF, VIP, VM } = RFLAGS;

const interruptReturn: Assist = (p, d) => {
  const size = stackIretSize(d);
  if (isReal(p)) iretReal(p, size);
  else if (p.state.longMode) iretLong(p, size);
  else iretProtected(p, d, size);
  // NMIs are taken again after IRET. SDM Vol. 3, 6.7.1.
  p.memory.write32(L.INTERRUPTIBILITY, p.memory.read32(L.INTERRUPTIBILITY) & ~8);
  p.modeChanged();
  p.resumeLoaded();
  p.flagsLoaded();
  return 'jump';
};

function stackIretSize(d: DecodedInstruction): 2 | 4 | 8 {
  return d.mnemonic === 'iretq' ? 8 : d.mnemonic === 'iretd' ? 4 : 2;
}

function iretReal(p: Core, size: number): void {
  const { state } = p;
  if (state.virtual8086 && state.iopl < 3) throw new GuestFault(VECTOR.GP, 0);
  const offset = peekStack(p, size);
  const selector = Number(peekStack(p, size, size) & 0xffffn);
  const flags = Number(peekStack(p, size, 2 * size) & 0xffff_ffffn);
  loadRealCode(p, selector, offset);
  popBytes(p, 3 * size);
  const keep = state.virtual8086 ? IOPL | VM | VIF | VIP : VM | VIF | VIP;
  const mask = size === 2 ? 0xffff & ~keep : ALL & ~keep;
  state.rflags = (state.rflags & ~mask) | (flags & mask);
}

/** Flags IRET may change at the current (old) privilege. */
function loadReturnFlags(p: Core, flags: number, size: number, oldCpl: number): void {
  const { state } = p;
  let mask = ALL & ~(VM | VIF | VIP | IOPL | IF);
  if (oldCpl === 0) mask |= IOPL | VIF | VIP;
  if (oldCpl <= state.iopl) mask |= IF;
  if (size === 2) mask &= 0xffff;
  state.rflags = (state.rflags & ~mask) | (flags & mask);
}

function iretLong(p: Core, size: 2 | 4 | 8): void {
  const { state } = p;
  if (state.flag(NT)) throw new GuestFault(VECTOR.GP, 0);
  const offset = peekStack(p, size);
  const selector = Number(peekStack(p, size, size) & 0xffffn);
  const flags = Number(peekStack(p, size, 2 * size) & 0xffff_ffffn);
  const code = checkReturnCode(p, selector);
  const oldCpl = state.cpl;
  const outer = (selector & 3) > oldCpl || state.code64;
  if (!outer) {
    checkOffset(p, code, offset);
    enterCode(p, selector, code, oldCpl);
    popBytes(p, 3 * size);
  } else {
    const sp = peekStack(p, size, 3 * size);
    const ss = Number(peekStack(p, size, 4 * size) & 0xffffn);
    checkOffset(p, code, offset);
    leaveTo(p, { selector, code, ss, sp, parameter: 0, size });
  }
  state.rip = offset;
  loadReturnFlags(p, flags, size, oldCpl);
}

function iretProtected(p: Core, d: DecodedInstruction, size: 2 | 4 | 8): void {
  const { state } = p;
  if (state.flag(NT)) {
    const link = p.asSystem(() => p.read(state.base(SEG.TR), 2));
    throw taskSwitchExit(link, 1, d.length);
  }
  const offset = peekStack(p, size);
  const selector = Number(peekStack(p, size, size) & 0xffffn);
  const flags = Number(peekStack(p, size, 2 * size) & 0xffff_ffffn);
  const oldCpl = state.cpl;
  if (size === 4 && (flags & VM) !== 0 && oldCpl === 0) {
    iretToVirtual8086(p, offset, selector, flags);
    return;
  }
  const code = checkReturnCode(p, selector);
  if ((selector & 3) > oldCpl) {
    const sp = peekStack(p, size, 3 * size);
    const ss = Number(peekStack(p, size, 4 * size) & 0xffffn);
    checkOffset(p, code, offset);
    leaveTo(p, { selector, code, ss, sp, parameter: 0, size });
  } else {
    checkOffset(p, code, offset);
    enterCode(p, selector, code, oldCpl);
    popBytes(p, 3 * size);
  }
  state.rip = offset;
  loadReturnFlags(p, flags, size, oldCpl);
}

function iretToVirtual8086(p: Core, offset: bigint, selector: number, flags: number): void {
  const { state } = p;
  const words = [3, 4, 5, 6, 7, 8].map((i) => peekStack(p, 4, 4 * i));
  state.rflags = (flags & ALL) | VM | RFLAGS.FIXED;
  state.cpl = 3;
  const load = (segment: number, value: bigint): void => {
    const s = Number(value & 0xffffn);
    state.setSegment(segment, s, BigInt(s << 4), 0xffff, segment === SEG.CS ? 0xfb : 0xf3);
  };
  load(SEG.CS, BigInt(selector));
  state.setSegment(SEG.CS, selector, BigInt(selector << 4), 0xffff, 0xf3);
  [SEG.SS, ...DATA_SEGMENTS].forEach((segment, i) => {
    load(segment, words[i + 1] as bigint);
  });
  state.setGpr(GPR.RSP, words[0] as bigint);
  // The upper half of EIP's image is ignored, as processors do; the manual has #GP(0) for one that is not zero.
  state.rip = offset & 0xffffn;
}

/** IRET in its three sizes. */
export const INTERRUPT_RETURN_ASSISTS: Readonly<Record<string, Assist>> = {
  iret: interruptReturn,
  iretd: interruptReturn,
  iretq: interruptReturn,
};
