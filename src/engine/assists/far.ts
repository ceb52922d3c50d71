import type { DecodedInstruction } from '../code/instruction.ts';
import { GuestFault, VECTOR } from '../core/fault.ts';
import type { Core } from '../core/core.ts';
import { checkInnerStack, tssStack } from './deliver.ts';
import { type Descriptor, enterCode, isLongCode, readDescriptor, readUpperHalf } from './descriptor.ts';
import { type Assist, operandAddress, peekStack, popBytes, push, ripAfter } from './operand.ts';
import {
  checkOffset,
  checkRealOffset,
  checkReturnCode,
  isReal,
  leaveTo,
  loadRealCode,
  taskSwitchExit,
} from './far-checks.ts';
import { ACCESS, DESCRIPTOR, GPR, SEG } from '../../x86/registers.ts';

interface FarTarget {
  readonly selector: number;
  readonly offset: bigint;
  /** Operand size in bytes. */
  readonly size: 2 | 4 | 8;
}

function farTarget(p: Core, d: DecodedInstruction): FarTarget {
  const operand = d.operands[0];
  const size = d.operandSize;
  if (operand?.kind === 'far') return { selector: operand.selector, offset: BigInt(operand.offset), size };
  const bytes = p.readBytes(operandAddress(p, d, size + 2, false), size + 2);
  const view = new DataView(bytes.buffer);
  const offset =
    size === 8 ? view.getBigUint64(0, true) : BigInt(size === 4 ? view.getUint32(0, true) : view.getUint16(0, true));
  return { selector: view.getUint16(size, true), offset, size };
}

const jumpFar: Assist = (p, d) => {
  const to = farTarget(p, d);
  if (isReal(p)) {
    loadRealCode(p, to.selector, to.offset);
  } else {
    farToProtected(p, d, to, false);
  }
  p.modeChanged();
  return 'jump';
};

const callFar: Assist = (p, d) => {
  const to = farTarget(p, d);
  if (!isReal(p)) {
    farToProtected(p, d, to, true);
  } else {
    checkRealOffset(p, to.offset);
    pushFarReturn(p, d, to.size);
    loadRealCode(p, to.selector, to.offset);
  }
  p.modeChanged();
  return 'jump';
};

function pushFarReturn(p: Core, d: DecodedInstruction, size: number): void {
  const { state } = p;
  const stack = state.gpr(GPR.RSP);
  const back = ripAfter(p, d);
  try {
    push(p, BigInt(state.selector(SEG.CS)), size);
    push(p, back, size);
  } catch (thrown) {
    state.setGpr(GPR.RSP, stack);
    throw thrown;
  }
}

/** JMP and CALL to another segment, gate or task. SDM Vol. 2A CALL, JMP. */
function farToProtected(p: Core, d: DecodedInstruction, to: FarTarget, call: boolean): void {
  const { state } = p;
  const error = to.selector & 0xfffc;
  if (error === 0) throw new GuestFault(VECTOR.GP, 0);
  const descriptor = readDescriptor(p, to.selector);
  if (descriptor.isSegment) {
    checkCodeTarget(p, to.selector, descriptor);
    const offset = to.size === 2 ? to.offset & 0xffffn : to.offset;
    checkOffset(p, descriptor, offset);
    if (call) pushFarReturn(p, d, to.size);
    enterCode(p, to.selector, descriptor, state.cpl);
    state.rip = offset;
    return;
  }
  const rpl = to.selector & 3;
  if (descriptor.dpl < state.cpl || descriptor.dpl < rpl) throw new GuestFault(VECTOR.GP, error);
  switch (descriptor.type) {
    case 4:
    case 12:
      throughGate(p, d, to.selector, descriptor, call);
      return;
    case 5:
    case 1:
    case 9:
      if (state.longMode) break;
      if (!descriptor.present) throw new GuestFault(VECTOR.NP, error);
      throw taskSwitchExit(to.selector, call ? 0 : 2, d.length, descriptor);
    default:
      break;
  }
  throw new GuestFault(VECTOR.GP, error);
}

function checkCodeTarget(p: Core, selector: number, d: Descriptor): void {
  const { state } = p;
  const error = selector & 0xfffc;
  if ((d.type & ACCESS.CODE) === 0) throw new GuestFault(VECTOR.GP, error);
  const conforming = (d.type & ACCESS.CONFORMING) !== 0;
  const rpl = selector & 3;
  if (conforming ? d.dpl > state.cpl : rpl > state.cpl || d.dpl !== state.cpl) throw new GuestFault(VECTOR.GP, error);
  if (state.longMode && isLongCode(d) && (d.high & DESCRIPTOR.BIG) !== 0) throw new GuestFault(VECTOR.GP, error);
  if (!d.present) throw new GuestFault(VECTOR.NP, error);
}

/** Call gates, 16-, 32- and 64-bit. SDM Vol. 3, 5.8.3 to 5.8.5. */
function throughGate(p: Core, d: DecodedInstruction, gateSelector: number, gate: Descriptor, call: boolean): void {
  const { state } = p;
  if (!gate.present) throw new GuestFault(VECTOR.NP, gateSelector & 0xfffc);
  const long = state.longMode;
  if (long && gate.type !== 12) throw new GuestFault(VECTOR.GP, gateSelector & 0xfffc);
  let offset = BigInt(((gate.low & 0xffff) | (gate.high & 0xffff0000)) >>> 0);
  const selector = gate.low >>> 16;
  if (long) {
    const upper = readUpperHalf(p, gateSelector, gate);
    if ((upper.high & 0x1f00) !== 0) throw new GuestFault(VECTOR.GP, gateSelector & 0xfffc);
    offset |= BigInt(upper.low) << 32n;
  } else if (gate.type === 4) offset &= 0xffffn;
  const error = selector & 0xfffc;
  if (error === 0) throw new GuestFault(VECTOR.GP, 0);
  const code = readDescriptor(p, selector);
  const isCode = code.isSegment && (code.type & ACCESS.CODE) !== 0;
  if (!isCode || code.dpl > state.cpl) throw new GuestFault(VECTOR.GP, error);
  if (long && (!isLongCode(code) || (code.high & DESCRIPTOR.BIG) !== 0)) throw new GuestFault(VECTOR.GP, error);
  const conforming = (code.type & ACCESS.CONFORMING) !== 0;
  if (!call && !conforming && code.dpl !== state.cpl) throw new GuestFault(VECTOR.GP, error);
  if (!code.present) throw new GuestFault(VECTOR.NP, error);
  const size = long ? 8 : gate.type === 12 ? 4 : 2;
  if (call && !conforming && code.dpl < state.cpl) {
    callInner(p, d, { selector, code, offset, size, count: long ? 0 : gate.high & 31 });
    return;
  }
  checkOffset(p, code, offset);
  if (call) pushFarReturn(p, d, size);
  enterCode(p, selector, code, state.cpl);
  state.rip = offset;
}

function callInner(
  p: Core,
  d: DecodedInstruction,
  to: { selector: number; code: Descriptor; offset: bigint; size: number; count: number },
): void {
  const { state } = p;
  const cpl = to.code.dpl;
  const oldSs = state.selector(SEG.SS);
  const oldSp = state.gpr(GPR.RSP);
  const parameters: bigint[] = [];
  for (let i = 0; i < to.count; i++) parameters.unshift(peekStack(p, to.size, i * to.size));
  const back = ripAfter(p, d);
  const oldCs = state.selector(SEG.CS);
  const words = [BigInt(oldSs), oldSp, ...parameters, BigInt(oldCs), back];
  if (state.longMode) {
    checkOffset(p, to.code, to.offset);
    const top = p.asSystem(() => p.read64(state.base(SEG.TR) + BigInt(4 + 8 * cpl)));
    writeWords(p, 0n, top, 0xffff_ffff_ffff_ffffn, words, 8, cpl);
    state.setSegment(SEG.SS, cpl, 0n, 0, ACCESS.UNUSABLE | (cpl << 5));
    enterCode(p, to.selector, to.code, cpl);
    state.setGpr(GPR.RSP, top - BigInt(8 * words.length));
  } else {
    const { selector, pointer } = tssStack(p, cpl, 0);
    const ss = checkInnerStack(p, selector, cpl, 0);
    checkOffset(p, to.code, to.offset);
    const mask = (ss.access & ACCESS.BIG) !== 0 ? 0xffff_ffffn : 0xffffn;
    writeWords(p, ss.base, pointer, mask, words, to.size, cpl);
    enterCode(p, to.selector, to.code, cpl);
    state.setSegment(SEG.SS, (selector & 0xfffc) | cpl, ss.base, ss.limit, ss.access);
    state.setGpr(GPR.RSP, (oldSp & ~mask & 0xffff_ffffn) | ((pointer - BigInt(to.size * words.length)) & mask));
  }
  state.rip = to.offset;
}

function writeWords(
  p: Core,
  base: bigint,
  top: bigint,
  mask: bigint,
  words: readonly bigint[],
  size: number,
  cpl: number,
): void {
  const old = p.state.cpl;
  p.state.cpl = cpl;
  p.mmu.select();
  try {
    words.forEach((word, i) => {
      const linear = base + ((top - BigInt(size * (i + 1))) & mask);
      p.writeValue(mask > 0xffff_ffffn ? linear : linear & 0xffff_ffffn, size, word);
    });
  } finally {
    p.state.cpl = old;
    p.mmu.select();
  }
}

const returnFar: Assist = (p, d) => {
  const { state } = p;
  const size = d.operandSize;
  const parameter = d.operands[0]?.kind === 'immediate' ? Number(d.operands[0].value) : 0;
  const offset = peekStack(p, size);
  const selector = Number(peekStack(p, size, size) & 0xffffn);
  if (isReal(p)) {
    loadRealCode(p, selector, offset);
    popBytes(p, 2 * size + parameter);
  } else if ((selector & 3) > state.cpl) {
    returnOuter(p, { selector, offset, size, parameter });
  } else {
    const code = checkReturnCode(p, selector);
    checkOffset(p, code, offset);
    enterCode(p, selector, code, state.cpl);
    popBytes(p, 2 * size + parameter);
    state.rip = offset;
  }
  p.modeChanged();
  return 'jump';
};

function returnOuter(p: Core, to: { selector: number; offset: bigint; size: 2 | 4 | 8; parameter: number }): void {
  const { state } = p;
  const code = checkReturnCode(p, to.selector);
  const depth = 2 * to.size + to.parameter;
  const sp = peekStack(p, to.size, depth);
  const ss = Number(peekStack(p, to.size, depth + to.size) & 0xffffn);
  checkOffset(p, code, to.offset);
  leaveTo(p, { selector: to.selector, code, ss, sp, parameter: to.parameter, size: to.size });
  state.rip = to.offset;
}

/** Far jumps, calls and returns. */
export const FAR_ASSISTS: Readonly<Record<string, Assist>> = {
  'jmp.far': jumpFar,
  'call.far': callFar,
  retf: returnFar,
};
