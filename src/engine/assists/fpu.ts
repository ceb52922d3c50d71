import type { DecodedInstruction } from '../code/instruction.ts';
import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { GuestMemory, RegisterFile } from '../core/core.ts';
import { blockUnit } from '../x87/block.ts';
import { executeX87, x87Pending } from '../x87/execute.ts';
import {
  isMxcsrValid,
  putMxcsr,
  putX87Region,
  putXmmRegion,
  resetX87,
  takeX87Region,
  takeXmmRegion,
  x87InUse,
} from '../x87/fxsave.ts';
import { X87_ERROR, X87_UNDEFINED, type X87Unit } from '../x87/unit.ts';
import { type Assist, effectiveOffset, type Operands, operandAddress, segmentOf } from './operand.ts';
import { CR0, CR4, SEG } from '../../x86/registers.ts';

const { EM, MP, TS } = CR0;
const { OSFXSR, OSXSAVE } = CR4;

/** The x87 unit of the processor as `d`, the instruction at hand, sees it. */
function unitFor(p: Operands, d: DecodedInstruction): X87Unit {
  const { state, memory } = p;
  const buffer = new DataView(new ArrayBuffer(128));
  const bytes = new Uint8Array(buffer.buffer);
  const hasMemory = d.operands.some((o) => o.kind === 'memory');
  return blockUnit(memory.view, {
    buffer,
    load: (size) => bytes.set(readLong(p, operandAddress(p, d, size, false), size)),
    store: (size) => writeLong(p, operandAddress(p, d, size, true), bytes.subarray(0, size)),
    flags: () => state.rflags,
    setFlags: (zpc) => state.setStatus(zpc),
    setAx: (value) => memory.view.setUint16(L.GPR, value, true),
    operand16: d.operandSize === 2,
    realFormat: !state.protectedMode || state.virtual8086,
    instructionPointer: state.rip,
    codeSelector: state.selector(SEG.CS),
    dataPointer: hasMemory ? effectiveOffset(p, d) : 0n,
    dataSelector: hasMemory ? state.selector(segmentOf(d)) : 0,
  });
}

const CHUNK = 32;

/** Reads longer than the bounce buffer go piece by piece. */
function readLong(p: GuestMemory, linear: bigint, size: number): Uint8Array {
  if (size <= CHUNK) return p.readBytes(linear, size);
  const out = new Uint8Array(size);
  for (let at = 0; at < size; at += CHUNK) {
    out.set(p.readBytes(linear + BigInt(at), Math.min(CHUNK, size - at)), at);
  }
  return out;
}

/** All or nothing: every page is probed before the first byte changes. */
function writeLong(p: GuestMemory, linear: bigint, bytes: Uint8Array): void {
  p.probeWrite(linear, 1);
  p.probeWrite(linear + BigInt(bytes.length - 1), 1);
  for (let at = 0; at < bytes.length; at += CHUNK) {
    p.writeBytes(linear + BigInt(at), bytes.subarray(at, Math.min(at + CHUNK, bytes.length)));
  }
}

/** #MF whatever the guest's CR0.NE says: VMX fixes the processor's own to 1 (SDM Vol. 3, A.7), so FERR# never rises. */
function floatError(): never {
  throw new GuestFault(VECTOR.MF);
}

const x87: Assist = (p, d) => {
  if ((p.state.cr0 & (EM | TS)) !== 0) throw new GuestFault(VECTOR.NM);
  const at = d.bytes.findIndex((byte) => byte >= 0xd8 && byte <= 0xdf);
  const outcome = executeX87(unitFor(p, d), d.bytes[at] as number, d.bytes[at + 1] as number);
  if (outcome === X87_UNDEFINED) throw new GuestFault(VECTOR.UD);
  if (outcome === X87_ERROR) floatError();
  return 'next';
};

const wait: Assist = (p, d) => {
  if ((p.state.cr0 & (MP | TS)) === (MP | TS)) throw new GuestFault(VECTOR.NM);
  if (x87Pending(unitFor(p, d))) floatError();
  return 'next';
};

function aligned(p: Operands, d: DecodedInstruction, size: number, to: number, write: boolean): bigint {
  const linear = operandAddress(p, d, size, write);
  if ((linear & BigInt(to - 1)) !== 0n) throw new GuestFault(VECTOR.GP, 0);
  return linear;
}

const xmmCount = (p: RegisterFile): number => (p.state.code64 ? 16 : 8);

const fxsave: Assist = (p, d) => {
  if ((p.state.cr0 & (EM | TS)) !== 0) throw new GuestFault(VECTOR.NM);
  const linear = aligned(p, d, 512, 16, true);
  const image = readLong(p, linear, 512);
  const view = new DataView(image.buffer);
  putX87Region(unitFor(p, d), view, d.mnemonic.endsWith('64'));
  putMxcsr(p.memory.view, view);
  if ((p.state.cr4 & OSFXSR) !== 0) putXmmRegion(p.memory.view, view, xmmCount(p));
  writeLong(p, linear, image.subarray(0, 416));
  return 'next';
};

const fxrstor: Assist = (p, d) => {
  if ((p.state.cr0 & (EM | TS)) !== 0) throw new GuestFault(VECTOR.NM);
  const linear = aligned(p, d, 512, 16, false);
  const view = new DataView(readLong(p, linear, 512).buffer);
  if ((p.state.cr4 & OSFXSR) !== 0 && !isMxcsrValid(view)) throw new GuestFault(VECTOR.GP, 0);
  takeX87Region(unitFor(p, d), view, d.mnemonic.endsWith('64'));
  if ((p.state.cr4 & OSFXSR) !== 0) {
    p.memory.write32(L.MXCSR, view.getUint32(24, true));
    takeXmmRegion(p.memory.view, view, xmmCount(p));
  }
  return 'next';
};

function requested(p: RegisterFile): number {
  if ((p.state.cr4 & OSXSAVE) === 0) throw new GuestFault(VECTOR.UD);
  if ((p.state.cr0 & TS) !== 0) throw new GuestFault(VECTOR.NM);
  return p.state.gpr32(0) & p.memory.read32(L.XCR0);
}

function sseInUse(p: RegisterFile): boolean {
  for (let at = L.XMM; at < L.XMM + 256; at += 8) if (p.memory.read64(at) !== 0n) return true;
  return p.memory.read32(L.MXCSR) !== 0x1f80;
}

/** XSAVE and XSAVEOPT, standard format. SDM Vol. 1, 13.7 and 13.8. */
const xsave: Assist = (p, d) => {
  const components = requested(p);
  const linear = aligned(p, d, 576, 64, true);
  const image = readLong(p, linear, 576);
  const view = new DataView(image.buffer);
  const unit = unitFor(p, d);
  const inUse = (x87InUse(unit) ? 1 : 0) | (sseInUse(p) ? 2 : 0);
  if ((components & 1) !== 0) putX87Region(unit, view, d.mnemonic.endsWith('64'));
  if ((components & 2) !== 0) {
    putMxcsr(p.memory.view, view);
    putXmmRegion(p.memory.view, view, xmmCount(p));
  }
  const old = view.getBigUint64(512, true);
  view.setBigUint64(512, (old & ~BigInt(components)) | BigInt(components & inUse), true);
  writeLong(p, linear, image.subarray(0, 520));
  return 'next';
};

/** XRSTOR, standard format. SDM Vol. 1, 13.8. */
const xrstor: Assist = (p, d) => {
  const components = requested(p);
  const linear = aligned(p, d, 576, 64, false);
  const view = new DataView(readLong(p, linear, 576).buffer);
  const present = view.getBigUint64(512, true);
  const rest = view.getBigUint64(520, true) | view.getBigUint64(528, true);
  if ((present & ~p.memory.read64(L.XCR0)) !== 0n || rest !== 0n) throw new GuestFault(VECTOR.GP, 0);
  if ((components & 2) !== 0 && !isMxcsrValid(view)) throw new GuestFault(VECTOR.GP, 0);
  const unit = unitFor(p, d);
  if ((components & 1) !== 0) {
    if ((present & 1n) !== 0n) takeX87Region(unit, view, d.mnemonic.endsWith('64'));
    else resetX87(unit);
  }
  if ((components & 2) !== 0) {
    p.memory.write32(L.MXCSR, view.getUint32(24, true));
    if ((present & 2n) !== 0n) takeXmmRegion(p.memory.view, view, xmmCount(p));
    else p.memory.u8.fill(0, L.XMM, L.XMM + 16 * xmmCount(p));
  }
  return 'next';
};

export const FPU_ASSISTS: Readonly<Record<string, Assist>> = {
  x87,
  wait,
  fxsave,
  fxsave64: fxsave,
  fxrstor,
  fxrstor64: fxrstor,
  xsave,
  xsave64: xsave,
  xsaveopt: xsave,
  xsaveopt64: xsave,
  xrstor,
  xrstor64: xrstor,
};

/** The x87 unit outside any instruction: for KVM_GET_XSAVE and resets. */
export function plainUnit(p: RegisterFile): X87Unit {
  const buffer = new DataView(new ArrayBuffer(128));
  const nothing = (): void => undefined;
  return blockUnit(p.memory.view, {
    buffer,
    load: nothing,
    store: nothing,
    flags: () => 0,
    setFlags: nothing,
    setAx: nothing,
    operand16: false,
    realFormat: false,
    instructionPointer: 0n,
    codeSelector: 0,
    dataPointer: 0n,
    dataSelector: 0,
  });
}
