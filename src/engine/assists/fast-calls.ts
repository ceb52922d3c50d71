import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { Core } from '../core/core.ts';
import { isCanonical } from './deliver.ts';
import { type Assist, ripAfter } from './operand.ts';
import { FLAT, GPR, RFLAGS } from '../../x86/registers.ts';

const { ALL, FIXED, IF, RF, VM } = RFLAGS;

function setFlat(p: Core, segment: number, selector: number, access: number, dpl: number): void {
  p.state.setSegment(segment, selector, 0n, FLAT.LIMIT, access | (dpl << 5));
}

const systemCall: Assist = (p, d) => {
  const { state, memory } = p;
  if (!state.code64 || (state.efer & 1) === 0) throw new GuestFault(VECTOR.UD);
  const star = memory.read64(L.STAR);
  const flags = state.rflags;
  state.setGpr(GPR.RCX, ripAfter(p, d));
  state.setGpr(GPR.R11, BigInt(flags & ~RF));
  state.rip = memory.read64(L.LSTAR);
  state.rflags = (flags & ~Number(memory.read64(L.FMASK) & 0xffff_ffffn) & ~RF) | FIXED;
  const selector = Number((star >> 32n) & 0xfffcn);
  setFlat(p, 1, selector, FLAT.CODE_64, 0);
  setFlat(p, 2, selector + 8, FLAT.DATA, 0);
  state.cpl = 0;
  p.modeChanged();
  p.trapByFlagNow();
  return 'jump';
};

const systemReturn: Assist = (p, d) => {
  const { state, memory } = p;
  if (!state.code64 || (state.efer & 1) === 0) throw new GuestFault(VECTOR.UD);
  if (state.cpl !== 0) throw new GuestFault(VECTOR.GP, 0);
  const star = memory.read64(L.STAR);
  const base = Number(star >> 48n);
  const wide = d.mnemonic === 'sysretq';
  const target = state.gpr(GPR.RCX);
  if (wide && !isCanonical(target)) throw new GuestFault(VECTOR.GP, 0);
  state.rip = wide ? target : target & 0xffff_ffffn;
  state.rflags = (Number(state.gpr(GPR.R11) & 0xffff_ffffn) & ALL & ~(RF | VM)) | FIXED;
  setFlat(p, 1, ((wide ? base + 16 : base) & 0xffff) | 3, wide ? FLAT.CODE_64 : FLAT.CODE_32, 3);
  setFlat(p, 2, ((base + 8) & 0xffff) | 3, FLAT.DATA, 3);
  state.cpl = 3;
  p.modeChanged();
  p.trapByFlagNow();
  p.flagsLoaded();
  return 'jump';
};

const systemEnter: Assist = (p) => {
  const { state, memory } = p;
  const selector = Number(memory.read64(L.SYSENTER_CS) & 0xfffcn);
  if (!state.protectedMode || selector === 0) throw new GuestFault(VECTOR.GP, 0);
  const long = state.longMode;
  memory.write32(L.FLAGS_REST, memory.read32(L.FLAGS_REST) & ~(VM | IF | RF));
  setFlat(p, 1, selector, long ? FLAT.CODE_64 : FLAT.CODE_32, 0);
  setFlat(p, 2, selector + 8, FLAT.DATA, 0);
  const pointer = memory.read64(L.SYSENTER_ESP);
  const target = memory.read64(L.SYSENTER_EIP);
  state.setGpr(GPR.RSP, long ? pointer : pointer & 0xffff_ffffn);
  state.rip = long ? target : target & 0xffff_ffffn;
  state.cpl = 0;
  p.modeChanged();
  return 'jump';
};

const systemExit: Assist = (p, d) => {
  const { state, memory } = p;
  const base = Number(memory.read64(L.SYSENTER_CS) & 0xfffcn);
  if (!state.protectedMode || base === 0 || state.cpl !== 0) throw new GuestFault(VECTOR.GP, 0);
  const wide = d.mnemonic === 'sysexitq';
  const [target, pointer] = [state.gpr(GPR.RDX), state.gpr(GPR.RCX)];
  if (wide && !(isCanonical(target) && isCanonical(pointer))) throw new GuestFault(VECTOR.GP, 0);
  setFlat(p, 1, (base + (wide ? 32 : 16)) | 3, wide ? FLAT.CODE_64 : FLAT.CODE_32, 3);
  setFlat(p, 2, (base + (wide ? 40 : 24)) | 3, FLAT.DATA, 3);
  state.setGpr(GPR.RSP, wide ? pointer : pointer & 0xffff_ffffn);
  state.rip = wide ? target : target & 0xffff_ffffn;
  state.cpl = 3;
  p.modeChanged();
  return 'jump';
};

/** SYSCALL, SYSENTER and their returns. */
export const FAST_CALL_ASSISTS: Readonly<Record<string, Assist>> = {
  syscall: systemCall,
  sysret: systemReturn,
  sysretq: systemReturn,
  sysenter: systemEnter,
  sysexit: systemExit,
  sysexitq: systemExit,
};
