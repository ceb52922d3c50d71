import type { DecodedInstruction } from '../code/instruction.ts';
import { GuestExit, GuestFault, VECTOR, vmExit } from '../fault.ts';
import * as L from '../layout.ts';
import type { GuestEvent } from '../event.ts';
import type { Processor } from '../processor.ts';
import { checkInnerStack, deliver, isCanonical, tssStack } from './deliver.ts';
import {
  checkSegment, type Descriptor, enterCode, isLongCode, limitOf, readDescriptor, readUpperHalf,
} from './descriptor.ts';
import {
  type Assist, type Outcome, operandAddress, peekStack, popBytes, push, ripAfter, setStack, stackOperandSize,
} from './operand.ts';

const RF = 0x10000;
const VM = 0x20000;
const NT = 0x4000;
const IF = 0x200;
const IOPL = 0x3000;

interface FarTarget {
  readonly selector: number;
  readonly offset: bigint;
  /** Operand size in bytes. */
  readonly size: 2 | 4 | 8;
}

function farTarget(p: Processor, d: DecodedInstruction): FarTarget {
  const operand = d.operands[0];
  const size = d.operandSize;
  if (operand?.kind === 'far') return { selector: operand.selector, offset: BigInt(operand.offset), size };
  const bytes = p.readBytes(operandAddress(p, d, size + 2, false), size + 2);
  const view = new DataView(bytes.buffer);
  const offset = size === 8 ? view.getBigUint64(0, true) : BigInt(size === 4 ? view.getUint32(0, true) : view.getUint16(0, true));
  return { selector: view.getUint16(size, true), offset, size };
}

function isReal(p: Processor): boolean {
  return !p.state.protectedMode || p.state.virtual8086;
}

function loadRealCode(p: Processor, selector: number, offset: bigint, size: number): void {
  const { state } = p;
  if (offset > BigInt(state.limit(1)) && size > 2) throw new GuestFault(VECTOR.GP, 0);
  state.setSegment(1, selector, BigInt(selector << 4), state.limit(1), state.access(1));
  state.rip = size === 2 ? offset & 0xffffn : offset;
}

const jumpFar: Assist = (p, d) => {
  const to = farTarget(p, d);
  if (isReal(p)) {
    loadRealCode(p, to.selector, to.offset, to.size);
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
    pushFarReturn(p, d, to.size);
    loadRealCode(p, to.selector, to.offset, to.size);
  }
  p.modeChanged();
  return 'jump';
};

function pushFarReturn(p: Processor, d: DecodedInstruction, size: number): void {
  const { state } = p;
  const stack = state.gpr(4);
  const back = ripAfter(p, d);
  try {
    push(p, BigInt(state.selector(1)), size);
    push(p, back, size);
  } catch (thrown) {
    state.setGpr(4, stack);
    throw thrown;
  }
}

/** JMP and CALL to another segment, gate or task. SDM Vol. 2A CALL, JMP. */
function farToProtected(p: Processor, d: DecodedInstruction, to: FarTarget, call: boolean): void {
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
    case 12: throughGate(p, d, to.selector, descriptor, call); return;
    case 5:
    case 1:
    case 9:
      if (state.longMode) break;
      if (!descriptor.present) throw new GuestFault(VECTOR.NP, error);
      throw taskSwitchExit(to.selector, call ? 0 : 2, d.length, descriptor);
    default: break;
  }
  throw new GuestFault(VECTOR.GP, error);
}

/** Task switches always exit in VMX non-root operation; a task gate names the TSS. */
function taskSwitchExit(selector: number, source: number, length: number, d?: Descriptor): GuestExit {
  const target = d !== undefined && d.type === 5 ? d.low >>> 16 : selector;
  return new GuestExit(
    vmExit({ reason: 9, qualification: BigInt(((source << 30) | target) >>> 0), instructionLength: length }),
  );
}

function checkCodeTarget(p: Processor, selector: number, d: Descriptor): void {
  const { state } = p;
  const error = selector & 0xfffc;
  if ((d.type & 8) === 0) throw new GuestFault(VECTOR.GP, error);
  const conforming = (d.type & 4) !== 0;
  const rpl = selector & 3;
  if (conforming ? d.dpl > state.cpl : rpl > state.cpl || d.dpl !== state.cpl) throw new GuestFault(VECTOR.GP, error);
  if (state.longMode && isLongCode(d) && (d.high & 0x400000) !== 0) throw new GuestFault(VECTOR.GP, error);
  if (!d.present) throw new GuestFault(VECTOR.NP, error);
}

function checkOffset(p: Processor, d: Descriptor, offset: bigint): void {
  if (p.state.longMode && isLongCode(d)) {
    if (!isCanonical(offset)) throw new GuestFault(VECTOR.GP, 0);
  } else if (offset > BigInt(limitOf(d))) throw new GuestFault(VECTOR.GP, 0);
}

/** Call gates, 16-, 32- and 64-bit. SDM Vol. 3, 5.8.3 to 5.8.5. */
function throughGate(p: Processor, d: DecodedInstruction, gateSelector: number, gate: Descriptor, call: boolean): void {
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
  if (!code.isSegment || (code.type & 8) === 0 || code.dpl > state.cpl) throw new GuestFault(VECTOR.GP, error);
  if (long && (!isLongCode(code) || (code.high & 0x400000) !== 0)) throw new GuestFault(VECTOR.GP, error);
  const conforming = (code.type & 4) !== 0;
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
  p: Processor,
  d: DecodedInstruction,
  to: { selector: number; code: Descriptor; offset: bigint; size: number; count: number },
): void {
  const { state } = p;
  const cpl = to.code.dpl;
  const oldSs = state.selector(2);
  const oldSp = state.gpr(4);
  const parameters: bigint[] = [];
  for (let i = 0; i < to.count; i++) parameters.unshift(peekStack(p, to.size, i * to.size));
  const back = ripAfter(p, d);
  const oldCs = state.selector(1);
  const words = [BigInt(oldSs), oldSp, ...parameters, BigInt(oldCs), back];
  if (state.longMode) {
    const top = p.asSystem(() => p.read64(state.base(7) + BigInt(4 + 8 * cpl)));
    writeWords(p, 0n, top, 0xffff_ffff_ffff_ffffn, words, 8, cpl);
    state.setSegment(2, cpl, 0n, 0, 0x10000 | (cpl << 5));
    enterCode(p, to.selector, to.code, cpl);
    state.setGpr(4, top - BigInt(8 * words.length));
  } else {
    const { selector, pointer } = tssStack(p, cpl, 0);
    const ss = checkInnerStack(p, selector, cpl, 0);
    const mask = (ss.access & 0x4000) !== 0 ? 0xffff_ffffn : 0xffffn;
    writeWords(p, ss.base, pointer, mask, words, to.size, cpl);
    enterCode(p, to.selector, to.code, cpl);
    state.setSegment(2, (selector & 0xfffc) | cpl, ss.base, ss.limit, ss.access);
    state.setGpr(4, (oldSp & ~mask & 0xffff_ffffn) | ((pointer - BigInt(to.size * words.length)) & mask));
  }
  state.rip = to.offset;
}

function writeWords(
  p: Processor, base: bigint, top: bigint, mask: bigint, words: readonly bigint[], size: number, cpl: number,
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
    loadRealCode(p, selector, offset, size);
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

function checkReturnCode(p: Processor, selector: number): Descriptor {
  const error = selector & 0xfffc;
  if (error === 0) throw new GuestFault(VECTOR.GP, 0);
  const code = readDescriptor(p, selector);
  const rpl = selector & 3;
  if (!code.isSegment || (code.type & 8) === 0 || rpl < p.state.cpl) throw new GuestFault(VECTOR.GP, error);
  const conforming = (code.type & 4) !== 0;
  if (conforming ? code.dpl > rpl : code.dpl !== rpl) throw new GuestFault(VECTOR.GP, error);
  if (p.state.longMode && isLongCode(code) && (code.high & 0x400000) !== 0) throw new GuestFault(VECTOR.GP, error);
  if (!code.present) throw new GuestFault(VECTOR.NP, error);
  return code;
}

function returnOuter(p: Processor, to: { selector: number; offset: bigint; size: 2 | 4 | 8; parameter: number }): void {
  const { state } = p;
  const code = checkReturnCode(p, to.selector);
  const depth = 2 * to.size + to.parameter;
  const sp = peekStack(p, to.size, depth);
  const ss = Number(peekStack(p, to.size, depth + to.size) & 0xffffn);
  checkOffset(p, code, to.offset);
  leaveTo(p, { selector: to.selector, code, ss, sp, parameter: to.parameter, size: to.size });
  state.rip = to.offset;
}

/** Load CS and SS of a less privileged level and drop segments it may not use. */
function leaveTo(
  p: Processor,
  to: { selector: number; code: Descriptor; ss: number; sp: bigint; parameter: number; size: number },
): void {
  const { state } = p;
  const cpl = to.selector & 3;
  const code64 = state.longMode && isLongCode(to.code);
  const nullStack = (to.ss & 0xfffc) === 0 && code64 && cpl !== 3 && (to.ss & 3) === cpl;
  const ss = nullStack
    ? { base: 0n, limit: 0, access: 0x10000 | (cpl << 5) }
    : checkSegment(p, 2, to.ss, cpl);
  enterCode(p, to.selector, to.code, cpl);
  state.setSegment(2, to.ss, ss.base, ss.limit, ss.access);
  const mask = code64 ? 0xffff_ffff_ffff_ffffn : (ss.access & 0x4000) !== 0 ? 0xffff_ffffn : 0xffffn;
  const sp = (to.sp + BigInt(to.parameter)) & mask;
  state.setGpr(4, mask === 0xffffn ? (state.gpr(4) & ~mask) | sp : sp);
  for (const segment of [0, 3, 4, 5]) {
    const access = state.access(segment);
    const isNonConforming = (access & 0xc) !== 0xc;
    if ((access & 0x10000) === 0 && isNonConforming && ((access >>> 5) & 3) < cpl) {
      state.setSegment(segment, 0, 0n, 0, 0x10000);
    }
  }
}

const interruptReturn: Assist = (p, d) => {
  const before = p.state.rflags;
  const size = stackIretSize(d);
  if (isReal(p)) iretReal(p, size);
  else if (p.state.longMode) iretLong(p, size);
  else iretProtected(p, d, size);
  // NMIs are taken again after IRET. SDM Vol. 3, 6.7.1.
  p.memory.write32(L.INTERRUPTIBILITY, p.memory.read32(L.INTERRUPTIBILITY) & ~8);
  p.modeChanged();
  void before;
  p.flagsLoaded();
  return 'jump';
};

function stackIretSize(d: DecodedInstruction): 2 | 4 | 8 {
  return d.mnemonic === 'iretq' ? 8 : d.mnemonic === 'iretd' ? 4 : 2;
}

function iretReal(p: Processor, size: number): void {
  const { state } = p;
  if (state.virtual8086 && state.iopl < 3) throw new GuestFault(VECTOR.GP, 0);
  const offset = peekStack(p, size);
  const selector = Number(peekStack(p, size, size) & 0xffffn);
  const flags = Number(peekStack(p, size, 2 * size) & 0xffff_ffffn);
  loadRealCode(p, selector, offset, size);
  popBytes(p, 3 * size);
  const keep = state.virtual8086 ? IOPL | VM | 0x180000 : VM | 0x180000;
  const mask = size === 2 ? 0xffff & ~keep : 0x3f7fd5 & ~keep;
  state.rflags = (state.rflags & ~mask) | (flags & mask);
}

/** Flags IRET may change at the current (old) privilege. */
function loadReturnFlags(p: Processor, flags: number, size: number, oldCpl: number): void {
  const { state } = p;
  let mask = 0x255dd5 & ~VM & ~0x180000;
  mask |= RF | NT | 0x100 | 0x40000 | 0x200000;
  if (oldCpl === 0) mask |= IOPL | 0x180000;
  if (oldCpl <= state.iopl) mask |= IF;
  else mask &= ~IF;
  if (oldCpl !== 0) mask &= ~IOPL;
  if (size === 2) mask &= 0xffff;
  state.rflags = (state.rflags & ~mask) | (flags & mask);
}

function iretLong(p: Processor, size: 2 | 4 | 8): void {
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

function iretProtected(p: Processor, d: DecodedInstruction, size: 2 | 4 | 8): void {
  const { state } = p;
  if (state.flag(NT)) {
    const link = p.asSystem(() => p.read(state.base(7), 2));
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

function iretToVirtual8086(p: Processor, offset: bigint, selector: number, flags: number): void {
  const { state } = p;
  const words = [3, 4, 5, 6, 7, 8].map((i) => peekStack(p, 4, 4 * i));
  state.rflags = (flags & 0x3f7fd5) | VM | 2;
  state.cpl = 3;
  const load = (segment: number, value: bigint): void => {
    const s = Number(value & 0xffffn);
    state.setSegment(segment, s, BigInt(s << 4), 0xffff, segment === 1 ? 0xfb : 0xf3);
  };
  load(1, BigInt(selector));
  state.setSegment(1, selector, BigInt(selector << 4), 0xffff, 0xf3);
  [2, 0, 3, 4, 5].forEach((segment, i) => {
    load(segment, words[i + 1] as bigint);
  });
  state.setGpr(4, words[0] as bigint);
  state.rip = offset & 0xffffn;
}

/** INT n, INT3, INTO, INT1: the event goes through the IDT as software's. */
function softwareEvent(p: Processor, event: GuestEvent): Outcome {
  const exit = interceptSoftware(p, event);
  if (exit !== undefined) throw exit;
  deliver(p, event);
  p.modeChanged();
  return 'jump';
}

function interceptSoftware(p: Processor, event: GuestEvent): GuestExit | undefined {
  const isException = event.type !== 'soft-interrupt';
  if (!isException || ((p.controls.exceptionBitmap >>> event.vector) & 1) === 0) return undefined;
  const type = event.type === 'soft-exception' ? 6 : 5;
  const interruptionInfo = (0x80000000 | (type << 8) | event.vector) >>> 0;
  return new GuestExit(vmExit({ reason: 0, interruptionInfo, instructionLength: event.length }));
}

const interrupt: Assist = (p, d) => {
  const operand = d.operands[0];
  const vector = operand?.kind === 'immediate' ? Number(operand.value & 0xffn) : 3;
  return softwareEvent(p, { type: 'soft-interrupt', vector, length: d.length });
};

const overflow: Assist = (p, d) => {
  if ((p.state.rflags & 0x800) === 0) return 'next';
  return softwareEvent(p, { type: 'soft-exception', vector: VECTOR.OF, length: d.length });
};

const SYSTEM_CODE_64 = 0xa09b;
const SYSTEM_DATA = 0xc093;

function setFlat(p: Processor, segment: number, selector: number, access: number, dpl: number): void {
  p.state.setSegment(segment, selector, 0n, 0xffffffff, access | (dpl << 5));
}

const systemCall: Assist = (p, d) => {
  const { state, memory } = p;
  if (!state.code64 || (state.efer & 1) === 0) throw new GuestFault(VECTOR.UD);
  const star = memory.read64(L.STAR);
  const flags = state.rflags;
  state.setGpr(1, ripAfter(p, d));
  state.setGpr(11, BigInt(flags & ~RF));
  state.rip = memory.read64(L.LSTAR);
  state.rflags = (flags & ~Number(memory.read64(L.FMASK) & 0xffff_ffffn) & ~RF) | 2;
  const selector = Number((star >> 32n) & 0xfffcn);
  setFlat(p, 1, selector, SYSTEM_CODE_64, 0);
  setFlat(p, 2, selector + 8, SYSTEM_DATA, 0);
  state.cpl = 0;
  p.modeChanged();
  return 'jump';
};

const systemReturn: Assist = (p, d) => {
  const { state, memory } = p;
  if (!state.code64 || (state.efer & 1) === 0) throw new GuestFault(VECTOR.UD);
  if (state.cpl !== 0) throw new GuestFault(VECTOR.GP, 0);
  const star = memory.read64(L.STAR);
  const base = Number(star >> 48n);
  const wide = d.mnemonic === 'sysretq';
  const target = state.gpr(1);
  if (wide && !isCanonical(target)) throw new GuestFault(VECTOR.GP, 0);
  state.rip = wide ? target : target & 0xffff_ffffn;
  state.rflags = (Number(state.gpr(11) & 0xffff_ffffn) & 0x3c7fd7) | 2;
  setFlat(p, 1, ((wide ? base + 16 : base) & 0xffff) | 3, wide ? SYSTEM_CODE_64 : 0xc09b, 3);
  setFlat(p, 2, ((base + 8) & 0xffff) | 3, SYSTEM_DATA, 3);
  state.cpl = 3;
  p.modeChanged();
  p.flagsLoaded();
  return 'jump';
};

const systemEnter: Assist = (p) => {
  const { state, memory } = p;
  const selector = Number(memory.read64(L.SYSENTER_CS) & 0xfffcn);
  if (!state.protectedMode || selector === 0) throw new GuestFault(VECTOR.GP, 0);
  const long = state.longMode;
  memory.write32(L.FLAGS_REST, memory.read32(L.FLAGS_REST) & ~(VM | IF | RF));
  setFlat(p, 1, selector, long ? SYSTEM_CODE_64 : 0xc09b, 0);
  setFlat(p, 2, selector + 8, SYSTEM_DATA, 0);
  const pointer = memory.read64(L.SYSENTER_ESP);
  const target = memory.read64(L.SYSENTER_EIP);
  state.setGpr(4, long ? pointer : pointer & 0xffff_ffffn);
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
  const [target, pointer] = [state.gpr(2), state.gpr(1)];
  if (wide && !(isCanonical(target) && isCanonical(pointer))) throw new GuestFault(VECTOR.GP, 0);
  setFlat(p, 1, (base + (wide ? 32 : 16)) | 3, wide ? SYSTEM_CODE_64 : 0xc09b, 3);
  setFlat(p, 2, (base + (wide ? 40 : 24)) | 3, SYSTEM_DATA, 3);
  state.setGpr(4, wide ? pointer : pointer & 0xffff_ffffn);
  state.rip = wide ? target : target & 0xffff_ffffn;
  state.cpl = 3;
  p.modeChanged();
  return 'jump';
};

/** ENTER with nesting. SDM Vol. 2A. */
const enterFrame: Assist = (p, d) => {
  const { state } = p;
  const size = stackOperandSize(p, d);
  const [space, nesting] = d.operands.map((o) => (o.kind === 'immediate' ? Number(o.value) : 0));
  const level = (nesting ?? 0) & 31;
  const saved = state.gpr(4);
  try {
    push(p, state.gpr(5) & ((1n << BigInt(8 * size)) - 1n), size);
    const frame = state.gpr(4);
    let base = state.gpr(5);
    for (let i = 1; i < level; i++) {
      base -= BigInt(size);
      push(p, p.readValue(p.linear(2, base & p.memory.read64(L.STACK_MASK), size, false), size), size);
    }
    if (level > 0) push(p, frame, size);
    // The final stack pointer must be writable, or ENTER faults as a whole.
    const final = (state.gpr(4) - BigInt(space ?? 0)) & p.memory.read64(L.STACK_MASK);
    p.probeWrite(p.linear(2, final, size, true), size);
    setStack(p, final);
    const mask = (1n << BigInt(8 * size)) - 1n;
    state.setGpr(5, size === 2 ? (state.gpr(5) & ~mask) | (frame & mask) : frame & mask);
  } catch (thrown) {
    state.setGpr(4, saved);
    throw thrown;
  }
  return 'next';
};

const breakpoint: Assist = (p, d) => softwareEvent(p, { type: 'soft-exception', vector: VECTOR.BP, length: d.length });

const icebp: Assist = (p, d) => softwareEvent(p, { type: 'privileged-exception', vector: VECTOR.DB, length: d.length });

export const TRANSFER_ASSISTS: Readonly<Record<string, Assist>> = {
  'jmp.far': jumpFar,
  'call.far': callFar,
  retf: returnFar,
  iret: interruptReturn,
  iretd: interruptReturn,
  iretq: interruptReturn,
  int: interrupt,
  int3: breakpoint,
  int1: icebp,
  into: overflow,
  syscall: systemCall,
  sysret: systemReturn,
  sysretq: systemReturn,
  sysenter: systemEnter,
  sysexit: systemExit,
  sysexitq: systemExit,
  enter: enterFrame,
};

