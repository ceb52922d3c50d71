import { EXIT } from '../../x86/exit-reasons.ts';
import { GuestExit, GuestFault, VECTOR, vmExit } from '../core/fault.ts';
import type { Core } from '../core/core.ts';
import { isCanonical } from './deliver.ts';
import { checkSegment, type Descriptor, enterCode, isLongCode, limitOf, readDescriptor } from './descriptor.ts';
import { ACCESS, DATA_SEGMENTS, DESCRIPTOR, GPR, SEG } from '../../x86/registers.ts';

/** Real-address or virtual-8086 mode: selectors are not checked. */
export function isReal(p: Core): boolean {
  return !p.state.protectedMode || p.state.virtual8086;
}

/** In real and virtual-8086 mode CS keeps its limit, which holds for the target too. */
export function checkRealOffset(p: Core, offset: bigint): void {
  if (offset > BigInt(p.state.limit(SEG.CS))) throw new GuestFault(VECTOR.GP, 0);
}

/** Load CS as real mode does. */
export function loadRealCode(p: Core, selector: number, offset: bigint): void {
  const { state } = p;
  checkRealOffset(p, offset);
  state.setSegment(SEG.CS, selector, BigInt(selector << 4), state.limit(SEG.CS), state.access(SEG.CS));
  state.rip = offset;
}

/** Task switches always exit in VMX non-root operation; a task gate names the TSS. */
export function taskSwitchExit(selector: number, source: number, length: number, d?: Descriptor): GuestExit {
  const target = d !== undefined && d.type === 5 ? d.low >>> 16 : selector;
  return new GuestExit(
    vmExit({
      reason: EXIT.TASK_SWITCH,
      qualification: BigInt(((source << 30) | target) >>> 0),
      instructionLength: length,
    }),
  );
}

/** The target must lie in the segment, or be canonical in 64-bit code. */
export function checkOffset(p: Core, d: Descriptor, offset: bigint): void {
  if (p.state.longMode && isLongCode(d)) {
    if (!isCanonical(offset)) throw new GuestFault(VECTOR.GP, 0);
  } else if (offset > BigInt(limitOf(d))) throw new GuestFault(VECTOR.GP, 0);
}

/** The code segment a far return or IRET goes to. SDM Vol. 2B, RET. */
export function checkReturnCode(p: Core, selector: number): Descriptor {
  const error = selector & 0xfffc;
  if (error === 0) throw new GuestFault(VECTOR.GP, 0);
  const code = readDescriptor(p, selector);
  const rpl = selector & 3;
  if (!code.isSegment || (code.type & ACCESS.CODE) === 0 || rpl < p.state.cpl) throw new GuestFault(VECTOR.GP, error);
  const conforming = (code.type & ACCESS.CONFORMING) !== 0;
  if (conforming ? code.dpl > rpl : code.dpl !== rpl) throw new GuestFault(VECTOR.GP, error);
  const both = p.state.longMode && isLongCode(code) && (code.high & DESCRIPTOR.BIG) !== 0;
  if (both) throw new GuestFault(VECTOR.GP, error);
  if (!code.present) throw new GuestFault(VECTOR.NP, error);
  return code;
}

const CONFORMING_CODE = ACCESS.CODE | ACCESS.CONFORMING;

/** Load CS and SS of a less privileged level and drop segments it may not use. */
export function leaveTo(
  p: Core,
  to: { selector: number; code: Descriptor; ss: number; sp: bigint; parameter: number; size: number },
): void {
  const { state } = p;
  const cpl = to.selector & 3;
  const code64 = state.longMode && isLongCode(to.code);
  const nullStack = (to.ss & 0xfffc) === 0 && code64 && cpl !== 3 && (to.ss & 3) === cpl;
  const ss = nullStack
    ? { base: 0n, limit: 0, access: ACCESS.UNUSABLE | (cpl << 5) }
    : checkSegment(p, SEG.SS, to.ss, cpl);
  enterCode(p, to.selector, to.code, cpl);
  state.setSegment(SEG.SS, to.ss, ss.base, ss.limit, ss.access);
  const mask = code64 ? 0xffff_ffff_ffff_ffffn : (ss.access & ACCESS.BIG) !== 0 ? 0xffff_ffffn : 0xffffn;
  const sp = (to.sp + BigInt(to.parameter)) & mask;
  state.setGpr(GPR.RSP, mask === 0xffffn ? (state.gpr(GPR.RSP) & ~mask) | sp : sp);
  for (const segment of DATA_SEGMENTS) {
    const access = state.access(segment);
    const isNonConforming = (access & CONFORMING_CODE) !== CONFORMING_CODE;
    if ((access & ACCESS.UNUSABLE) === 0 && isNonConforming && ((access >>> 5) & 3) < cpl) {
      // FS and GS keep the base that 64-bit code uses.
      state.setSegment(segment, 0, segment >= SEG.FS ? state.base(segment) : 0n, 0, ACCESS.UNUSABLE);
    }
  }
}
