import { type DecodedInstruction, ICED } from '../code/instruction.ts';
import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { Core } from '../core/core.ts';
import { isCanonical } from './deliver.ts';
import {
  accessOf,
  baseOf,
  type Descriptor,
  limitOf,
  loadSegment,
  readDescriptor,
  readUpperHalf,
  setBusy,
} from './descriptor.ts';
import {
  type Assist,
  operandAddress,
  type Outcome,
  peekStack,
  popBytes,
  push,
  readOperand,
  stackOperandSize,
  writeOperand,
} from './operand.ts';
import { ACCESS, CR4, GPR, RFLAGS, SEG } from '../../x86/registers.ts';

/** The segment register an operand names. */
function segmentOperand(d: DecodedInstruction, k: number): number | undefined {
  const operand = d.operands[k];
  return operand?.kind === 'register' ? ICED.segment(operand.register) : undefined;
}

/** MOV to and from a segment register; other MOV assists are control and debug registers (system.ts). */
export function moveSegment(p: Core, d: DecodedInstruction): Outcome {
  const to = segmentOperand(d, 0);
  if (to === undefined) {
    const from = segmentOperand(d, 1) as number;
    writeOperand(p, d, 0, BigInt(p.state.selector(from)), d.operands[0]?.kind === 'memory' ? 2 : undefined);
    return 'next';
  }
  if (to === SEG.CS) throw new GuestFault(VECTOR.UD);
  const selector = Number(readOperand(p, d, 1, 2) & 0xffffn);
  loadSegment(p, to, selector);
  return segmentLoaded(p, to);
}

function segmentLoaded(p: Core, segment: number): Outcome {
  p.modeChanged();
  if (segment === SEG.SS) p.shadow(2);
  return 'serialize';
}

const pushSegment: Assist = (p, d) => {
  const segment = segmentOperand(d, 0) as number;
  const size = stackOperandSize(p, d);
  const top = p.state.gpr(GPR.RSP) - BigInt(size);
  // Processors write only the low word of the slot in 32-bit pushes; the space is the operand's.
  const mask = p.memory.read64(L.STACK_MASK);
  if (size === 4) {
    p.writeValue(p.linear(SEG.SS, top & mask, 2, true), 2, BigInt(p.state.selector(segment)));
    p.state.setGpr(GPR.RSP, (p.state.gpr(GPR.RSP) & ~mask) | (top & mask));
  } else push(p, BigInt(p.state.selector(segment)), size);
  return 'next';
};

const popSegment: Assist = (p, d) => {
  const segment = segmentOperand(d, 0) as number;
  const size = stackOperandSize(p, d);
  loadSegment(p, segment, Number(peekStack(p, 2) & 0xffffn));
  popBytes(p, size);
  return segmentLoaded(p, segment);
};

/** LDS LES LSS LFS LGS. */
const loadFarPointer =
  (segment: number): Assist =>
  (p, d) => {
    const size = d.operandSize;
    const bytes = p.readBytes(operandAddress(p, d, size + 2, false), size + 2);
    const view = new DataView(bytes.buffer);
    const selector = view.getUint16(size, true);
    const offset =
      size === 8 ? view.getBigUint64(0, true) : BigInt(size === 4 ? view.getUint32(0, true) : view.getUint16(0, true));
    loadSegment(p, segment, selector);
    writeOperand(p, d, 0, offset);
    p.modeChanged();
    return 'serialize';
  };

function privileged(p: Core): void {
  if (p.state.cpl !== 0) throw new GuestFault(VECTOR.GP, 0);
}

function protectedOnly(p: Core): void {
  if (!p.state.protectedMode || p.state.virtual8086) throw new GuestFault(VECTOR.UD);
}

/** UMIP keeps SGDT SIDT SLDT STR SMSW from user mode. */
export function umip(p: Core): void {
  if ((p.state.cr4 & CR4.UMIP) !== 0 && p.state.cpl > 0) throw new GuestFault(VECTOR.GP, 0);
}

const loadTable =
  (base: number, limit: number): Assist =>
  (p, d) => {
    privileged(p);
    const wide = p.state.code64;
    const bytes = p.readBytes(operandAddress(p, d, wide ? 10 : 6, false), wide ? 10 : 6);
    const view = new DataView(bytes.buffer);
    let address = wide ? view.getBigUint64(2, true) : BigInt(view.getUint32(2, true));
    if (wide && !isCanonical(address)) throw new GuestFault(VECTOR.GP, 0);
    if (!wide && d.operandSize === 2) address &= 0xffffffn;
    p.memory.write32(limit, view.getUint16(0, true));
    p.memory.write64(base, address);
    return 'next';
  };

const storeTable =
  (base: number, limit: number): Assist =>
  (p, d) => {
    umip(p);
    const wide = p.state.code64;
    const bytes = new Uint8Array(wide ? 10 : 6);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, p.memory.read32(limit), true);
    if (wide) view.setBigUint64(2, p.memory.read64(base), true);
    else view.setUint32(2, p.memory.read32(base), true);
    p.writeBytes(operandAddress(p, d, bytes.length, true), bytes);
    return 'next';
  };

function systemBase(p: Core, selector: number, d: Descriptor): bigint {
  if (!p.state.longMode) return baseOf(d);
  const upper = readUpperHalf(p, selector, d);
  const base = baseOf(d) | (BigInt(upper.low) << 32n);
  if (!isCanonical(base)) throw new GuestFault(VECTOR.GP, selector & 0xfffc);
  return base;
}

const loadLocalTable: Assist = (p, d) => {
  protectedOnly(p);
  privileged(p);
  const selector = Number(readOperand(p, d, 0, 2) & 0xffffn);
  if ((selector & 0xfffc) === 0) {
    p.state.setSegment(SEG.LDTR, selector, 0n, 0, ACCESS.UNUSABLE);
    return 'next';
  }
  if ((selector & 4) !== 0) throw new GuestFault(VECTOR.GP, selector & 0xfffc);
  const descriptor = readDescriptor(p, selector);
  if (descriptor.isSegment || descriptor.type !== 2) throw new GuestFault(VECTOR.GP, selector & 0xfffc);
  if (!descriptor.present) throw new GuestFault(VECTOR.NP, selector & 0xfffc);
  const base = systemBase(p, selector, descriptor);
  p.state.setSegment(SEG.LDTR, selector, base, limitOf(descriptor), accessOf(descriptor));
  return 'next';
};

const loadTask: Assist = (p, d) => {
  protectedOnly(p);
  privileged(p);
  const selector = Number(readOperand(p, d, 0, 2) & 0xffffn);
  if ((selector & 0xfffc) === 0) throw new GuestFault(VECTOR.GP, 0);
  if ((selector & 4) !== 0) throw new GuestFault(VECTOR.GP, selector & 0xfffc);
  const descriptor = readDescriptor(p, selector);
  const available = !descriptor.isSegment && (descriptor.type === 9 || (descriptor.type === 1 && !p.state.longMode));
  if (!available) throw new GuestFault(VECTOR.GP, selector & 0xfffc);
  if (!descriptor.present) throw new GuestFault(VECTOR.NP, selector & 0xfffc);
  const base = systemBase(p, selector, descriptor);
  setBusy(p, descriptor, true);
  p.state.setSegment(SEG.TR, selector, base, limitOf(descriptor), accessOf(descriptor) | 2);
  return 'next';
};

/** SLDT and STR. */
const storeSelector =
  (segment: number): Assist =>
  (p, d) => {
    protectedOnly(p);
    umip(p);
    writeOperand(p, d, 0, BigInt(p.state.selector(segment)), d.operands[0]?.kind === 'memory' ? 2 : undefined);
    return 'next';
  };

/** The descriptor LAR, LSL, VERR or VERW ask about, or undefined when the question has no answer. */
function visibleDescriptor(p: Core, selector: number): Descriptor | undefined {
  if ((selector & 0xfffc) === 0) return undefined;
  try {
    return readDescriptor(p, selector);
  } catch (thrown) {
    if (thrown instanceof GuestFault && thrown.vector === VECTOR.GP) return undefined;
    throw thrown;
  }
}

const CONFORMING_CODE = ACCESS.CODE | ACCESS.CONFORMING;

function reachable(p: Core, selector: number, d: Descriptor): boolean {
  const conforming = d.isSegment && (d.type & CONFORMING_CODE) === CONFORMING_CODE;
  return conforming || (p.state.cpl <= d.dpl && (selector & 3) <= d.dpl);
}

const LAR_TYPES = new Set([1, 2, 3, 4, 5, 9, 11, 12]);
const LAR_TYPES_LONG = new Set([2, 9, 11, 12]);
const LSL_TYPES = new Set([1, 2, 3, 9, 11]);
const LSL_TYPES_LONG = new Set([2, 9, 11]);

/** LAR and LSL. */
const askDescriptor =
  (name: 'lar' | 'lsl'): Assist =>
  (p, d) => {
    protectedOnly(p);
    const selector = Number(readOperand(p, d, 1, 2) & 0xffffn);
    const descriptor = visibleDescriptor(p, selector);
    const long = p.state.longMode;
    const types = name === 'lar' ? (long ? LAR_TYPES_LONG : LAR_TYPES) : long ? LSL_TYPES_LONG : LSL_TYPES;
    const ok =
      descriptor !== undefined &&
      (descriptor.isSegment || types.has(descriptor.type)) &&
      reachable(p, selector, descriptor);
    if (ok) writeOperand(p, d, 0, BigInt(name === 'lar' ? (descriptor.high & 0xffff00) >>> 0 : limitOf(descriptor)));
    p.state.setStatus(ok ? RFLAGS.ZF : 0, RFLAGS.ZF);
    return 'next';
  };

/** VERR and VERW. */
const verify =
  (write: boolean): Assist =>
  (p, d) => {
    protectedOnly(p);
    const selector = Number(readOperand(p, d, 0, 2) & 0xffffn);
    const descriptor = visibleDescriptor(p, selector);
    let ok = descriptor?.isSegment === true && reachable(p, selector, descriptor);
    if (ok && descriptor !== undefined) {
      const isCode = (descriptor.type & ACCESS.CODE) !== 0;
      const mayAccess = (descriptor.type & (isCode ? ACCESS.READABLE : ACCESS.WRITABLE)) !== 0;
      ok = write ? !isCode && mayAccess : !isCode || mayAccess;
    }
    p.state.setStatus(ok ? RFLAGS.ZF : 0, RFLAGS.ZF);
    return 'next';
  };

const adjustRpl: Assist = (p, d) => {
  protectedOnly(p);
  const to = readOperand(p, d, 0);
  const from = readOperand(p, d, 1);
  const raise = (to & 3n) < (from & 3n);
  if (raise) writeOperand(p, d, 0, (to & ~3n) | (from & 3n));
  p.state.setStatus(raise ? RFLAGS.ZF : 0, RFLAGS.ZF);
  return 'next';
};

const swapGs: Assist = (p) => {
  if (!p.state.code64) throw new GuestFault(VECTOR.UD);
  privileged(p);
  const { memory } = p;
  const held = memory.read64(L.KERNEL_GS_BASE);
  memory.write64(L.KERNEL_GS_BASE, memory.read64(L.SEG_BASE + 8 * SEG.GS));
  memory.write64(L.SEG_BASE + 8 * SEG.GS, held);
  return 'next';
};

/** RDFSBASE RDGSBASE WRFSBASE WRGSBASE. */
const baseRegister =
  (slot: number, write: boolean): Assist =>
  (p, d) => {
    if (!p.state.code64 || (p.state.cr4 & CR4.FSGSBASE) === 0) throw new GuestFault(VECTOR.UD);
    if (!write) {
      writeOperand(p, d, 0, p.memory.read64(slot));
      return 'next';
    }
    const value = readOperand(p, d, 0);
    if (!isCanonical(value)) throw new GuestFault(VECTOR.GP, 0);
    p.memory.write64(slot, value);
    return 'next';
  };

export const SEGMENT_ASSISTS: Readonly<Record<string, Assist>> = {
  'push.segment': pushSegment,
  'pop.segment': popSegment,
  les: loadFarPointer(SEG.ES),
  lds: loadFarPointer(SEG.DS),
  lss: loadFarPointer(SEG.SS),
  lfs: loadFarPointer(SEG.FS),
  lgs: loadFarPointer(SEG.GS),
  lgdt: loadTable(L.GDTR_BASE, L.GDTR_LIMIT),
  lidt: loadTable(L.IDTR_BASE, L.IDTR_LIMIT),
  sgdt: storeTable(L.GDTR_BASE, L.GDTR_LIMIT),
  sidt: storeTable(L.IDTR_BASE, L.IDTR_LIMIT),
  lldt: loadLocalTable,
  ltr: loadTask,
  sldt: storeSelector(SEG.LDTR),
  str: storeSelector(SEG.TR),
  lar: askDescriptor('lar'),
  lsl: askDescriptor('lsl'),
  verr: verify(false),
  verw: verify(true),
  arpl: adjustRpl,
  swapgs: swapGs,
  rdfsbase: baseRegister(L.SEG_BASE + 8 * SEG.FS, false),
  rdgsbase: baseRegister(L.SEG_BASE + 8 * SEG.GS, false),
  wrfsbase: baseRegister(L.SEG_BASE + 8 * SEG.FS, true),
  wrgsbase: baseRegister(L.SEG_BASE + 8 * SEG.GS, true),
};
