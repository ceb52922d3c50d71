import { type DecodedInstruction, ICED } from '../code/instruction.ts';
import { GuestExit, GuestFault, VECTOR, vmExit } from '../fault.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import { isCanonical } from './deliver.ts';
import { type Assist, effectiveOffset, operandAddress, type Outcome, readOperand, segmentOf, writeOperand } from './operand.ts';
import { moveSegment, umip } from './segments.ts';

/** Basic exit reasons these instructions can cause. SDM Vol. 3 Appendix C. */
const EXIT = {
  cpuid: 10, hlt: 12, invd: 13, invlpg: 14, rdpmc: 15, rdtsc: 16, vmcall: 18, cr: 28, dr: 29, rdmsr: 31, wrmsr: 32,
  mwait: 36, monitor: 39, pause: 40, tprThreshold: 43, rdtscp: 51, wbinvd: 54, xsetbv: 55, rdrand: 57, invpcid: 58, rdseed: 61,
} as const;

const PRIMARY = { hlt: 7, invlpg: 9, mwait: 10, rdpmc: 11, cr3Load: 15, cr3Store: 16, cr8Load: 19, cr8Store: 20, tpr: 21, dr: 23, msrBitmaps: 28, pause: 30 } as const;
const SECONDARY = { pauseLoop: 10, wbinvd: 6, rdrand: 11, invpcid: 12, rdseed: 16, rdtscp: 3, xsaves: 20 } as const;

export function leave(d: DecodedInstruction, reason: number, qualification = 0n): never {
  throw new GuestExit(vmExit({ reason, qualification, instructionLength: d.length }));
}

const primary = (p: Processor, bit: number): boolean => ((p.controls.primary >>> bit) & 1) !== 0;
const secondary = (p: Processor, bit: number): boolean =>
  p.controls.primary >>> 31 === 1 && ((p.controls.secondary >>> bit) & 1) !== 0;

/** A VMX guest does not have this instruction: its "enable" control is off. SDM Vol. 3, 26.3. */
const withheld = (p: Processor, bit: number): boolean =>
  p.controls.primary >>> 31 === 1 && ((p.controls.secondary >>> bit) & 1) === 0;

function privileged(p: Processor): void {
  if (p.state.cpl !== 0) throw new GuestFault(VECTOR.GP, 0);
}

/** MOV whose operand is a segment, control or debug register. */
const moveSpecial: Assist = (p, d) => {
  const [to, from] = d.operands;
  const control = to?.kind === 'register' ? ICED.control(to.register) : undefined;
  if (control !== undefined) return writeControl(p, d, control);
  const fromControl = from?.kind === 'register' ? ICED.control(from.register) : undefined;
  if (fromControl !== undefined) return readControl(p, d, fromControl);
  const debug = to?.kind === 'register' ? ICED.debug(to.register) : undefined;
  if (debug !== undefined) return writeDebug(p, d, debug);
  const fromDebug = from?.kind === 'register' ? ICED.debug(from.register) : undefined;
  if (fromDebug !== undefined) return readDebug(p, d, fromDebug);
  return moveSegment(p, d);
};

const registerNumber = (d: DecodedInstruction, k: number): number => {
  const operand = d.operands[k];
  return operand?.kind === 'register' ? (ICED.general(operand.register)?.index ?? 0) : 0;
};

/** MOV between the accumulator and an absolute 64-bit address. */
const moveAbsolute: Assist = (p, d) => {
  writeOperand(p, d, 0, readOperand(p, d, 1));
  return 'next';
};

function readControl(p: Processor, d: DecodedInstruction, number: number): Outcome {
  privileged(p);
  const { memory, controls } = p;
  const exits = (bit: number): void => {
    if (primary(p, bit)) leave(d, EXIT.cr, BigInt(number | (1 << 4) | (registerNumber(d, 0) << 8)));
  };
  let value: bigint;
  switch (number) {
    case 0: value = (memory.read64(L.CR0) & ~controls.cr0Mask) | (controls.cr0Shadow & controls.cr0Mask); break;
    case 2: value = memory.read64(L.CR2); break;
    case 3: exits(PRIMARY.cr3Store); value = memory.read64(L.CR3); break;
    case 4: value = (memory.read64(L.CR4) & ~controls.cr4Mask) | (controls.cr4Shadow & controls.cr4Mask); break;
    case 8: exits(PRIMARY.cr8Store); value = memory.read64(L.CR8); break;
    default: throw new GuestFault(VECTOR.UD);
  }
  writeOperand(p, d, 0, value);
  return 'next';
}

function writeControl(p: Processor, d: DecodedInstruction, number: number): Outcome {
  privileged(p);
  const { controls } = p;
  const value = readOperand(p, d, 1);
  const exit = (): never => leave(d, EXIT.cr, BigInt(number | (registerNumber(d, 1) << 8)));
  switch (number) {
    case 0:
      if (((value ^ controls.cr0Shadow) & controls.cr0Mask) !== 0n) exit();
      loadCr0(p, (value & ~controls.cr0Mask) | (p.memory.read64(L.CR0) & controls.cr0Mask));
      break;
    case 2: p.memory.write64(L.CR2, value); return 'next';
    case 3:
      if (primary(p, PRIMARY.cr3Load)) exit();
      loadCr3(p, value);
      break;
    case 4:
      if (((value ^ controls.cr4Shadow) & controls.cr4Mask) !== 0n) exit();
      loadCr4(p, (value & ~controls.cr4Mask) | (p.memory.read64(L.CR4) & controls.cr4Mask));
      break;
    case 8:
      if (primary(p, PRIMARY.cr8Load)) exit();
      if (value > 15n) throw new GuestFault(VECTOR.GP, 0);
      p.memory.write64(L.CR8, value);
      if (primary(p, PRIMARY.tpr) && Number(value) < controls.tprThreshold) return belowThreshold(p, d);
      return 'next';
    default: throw new GuestFault(VECTOR.UD);
  }
  return 'serialize';
}

/** The TPR-threshold exit comes after the instruction. SDM Vol. 3, 30.1.2. */
function belowThreshold(p: Processor, d: DecodedInstruction): never {
  p.state.rip = (p.state.rip + BigInt(d.length)) & p.memory.read64(L.RIP_MASK);
  p.retireBeforeExit();
  throw new GuestExit(vmExit({ reason: EXIT.tprThreshold }));
}

/** MOV to CR0: consistency and the activation of long mode. SDM Vol. 3, 2.5 and 4.1.2. */
export function loadCr0(p: Processor, wanted: bigint): void {
  const { memory } = p;
  if (wanted >> 32n !== 0n) throw new GuestFault(VECTOR.GP, 0);
  const value = Number(wanted) | 0x10;
  const old = memory.read32(L.CR0);
  const paging = value >>> 31 === 1;
  if (paging && (value & 1) === 0) throw new GuestFault(VECTOR.GP, 0);
  if ((value & 0x20000000) !== 0 && (value & 0x40000000) === 0) throw new GuestFault(VECTOR.GP, 0);
  let efer = memory.read32(L.EFER);
  const turnsOn = paging && old >>> 31 === 0;
  if (turnsOn && (efer & 0x100) !== 0) {
    const longCode = (p.state.access(1) & 0x2000) !== 0;
    if ((memory.read32(L.CR4) & 0x20) === 0 || longCode) throw new GuestFault(VECTOR.GP, 0);
    efer |= 0x400;
  }
  if (!paging && old >>> 31 === 1) {
    if (p.state.code64) throw new GuestFault(VECTOR.GP, 0);
    efer &= ~0x400;
  }
  const usesPae = paging && (memory.read32(L.CR4) & 0x20) !== 0 && (efer & 0x400) === 0;
  if (usesPae && ((value ^ old) & 0xe0000000) !== 0) loadPointers(p, memory.read64(L.CR3));
  memory.write32(L.EFER, efer);
  memory.write64(L.CR0, BigInt(value >>> 0));
  p.refresh();
}

/** Read the four PAE page-directory-pointer entries; reserved bits are a #GP. SDM Vol. 3, 4.4.1. */
export function loadPointers(p: Processor, cr3: bigint): void {
  const base = cr3 & 0xffff_ffe0n;
  const entries = p.physicalRead64(base, 4);
  for (const entry of entries) {
    if ((entry & 1n) !== 0n && (entry & 0xffff_ff80_0000_01e6n) !== 0n) throw new GuestFault(VECTOR.GP, 0);
  }
  entries.forEach((entry, i) => {
    p.memory.write64(L.PDPTE + 8 * i, entry);
  });
}

const PHYSICAL_LIMIT = 1n << 39n;

function loadCr3(p: Processor, value: bigint): void {
  const { state, memory } = p;
  if (!state.longMode) {
    const low = value & 0xffff_ffffn;
    if (p.mmu.mode.paging && p.mmu.mode.pae) loadPointers(p, low);
    memory.write64(L.CR3, low);
  } else {
    const pcid = (state.cr4 & 0x20000) !== 0;
    const address = pcid ? value & ~(1n << 63n) : value;
    if (address >= PHYSICAL_LIMIT) throw new GuestFault(VECTOR.GP, 0);
    memory.write64(L.CR3, address);
  }
  p.mmu.refresh();
}

/** Bits of CR4 this processor has. */
const CR4_KNOWN = 0x372fffn & ~0x2000n & ~0x4000n;

export function loadCr4(p: Processor, value: bigint): void {
  const { memory, state } = p;
  const old = memory.read64(L.CR4);
  // VMXE is the host's while a guest runs: it stays as it is.
  if ((value & ~(CR4_KNOWN | (old & 0x2000n))) !== 0n) throw new GuestFault(VECTOR.GP, 0);
  if (state.longMode && (value & 0x20n) === 0n) throw new GuestFault(VECTOR.GP, 0);
  const setsPcid = (value & ~old & 0x20000n) !== 0n;
  if (setsPcid && (!state.longMode || (memory.read64(L.CR3) & 0xfffn) !== 0n)) throw new GuestFault(VECTOR.GP, 0);
  const pae = (value & 0x20n) !== 0n;
  const pagingBits = (value ^ old) & 0x1000b0n;
  if (p.mmu.mode.paging && pae && !state.longMode && pagingBits !== 0n) loadPointers(p, memory.read64(L.CR3));
  memory.write64(L.CR4, value);
  p.refresh();
}

function checkDebugAccess(p: Processor, d: DecodedInstruction, number: number, read: boolean, k: number): number {
  privileged(p);
  if (primary(p, PRIMARY.dr)) {
    leave(d, EXIT.dr, BigInt(number | (read ? 0x10 : 0) | (registerNumber(d, k) << 8)));
  }
  let real = number;
  if (number === 4 || number === 5) {
    if ((p.state.cr4 & 8) !== 0) throw new GuestFault(VECTOR.UD);
    real += 2;
  }
  if (number > 7) throw new GuestFault(VECTOR.UD);
  if ((p.memory.read32(L.DR + 56) & 0x2000) !== 0) {
    p.pendingDebug = 0x2000;
    throw new GuestFault(VECTOR.DB);
  }
  return real;
}

function readDebug(p: Processor, d: DecodedInstruction, number: number): Outcome {
  const real = checkDebugAccess(p, d, number, true, 0);
  writeOperand(p, d, 0, p.memory.read64(L.DR + 8 * real));
  return 'next';
}

function writeDebug(p: Processor, d: DecodedInstruction, number: number): Outcome {
  const real = checkDebugAccess(p, d, number, false, 1);
  let value = readOperand(p, d, 1);
  if (real >= 6 && value >> 32n !== 0n) throw new GuestFault(VECTOR.GP, 0);
  if (real === 6) value = (value & 0x1e00fn) | 0xffff0ff0n;
  if (real === 7) value = (value & 0xffff_2bffn) | 0x400n;
  p.memory.write64(L.DR + 8 * real, value);
  p.debugChanged();
  p.stopSoon();
  return 'serialize';
}

const clearTaskSwitched: Assist = (p, d) => {
  privileged(p);
  const { cr0Mask, cr0Shadow } = p.controls;
  if ((cr0Mask & 8n) !== 0n) {
    if ((cr0Shadow & 8n) !== 0n) leave(d, EXIT.cr, 0x20n);
    return 'next';
  }
  p.memory.write64(L.CR0, p.memory.read64(L.CR0) & ~8n);
  p.refresh();
  return 'serialize';
};

const loadMachineStatus: Assist = (p, d) => {
  privileged(p);
  const value = readOperand(p, d, 0, 2) & 0xffffn;
  const { cr0Mask, cr0Shadow } = p.controls;
  const old = p.memory.read64(L.CR0);
  const next = (old & ~0xen) | (value & 0xfn);
  if (((next ^ cr0Shadow) & cr0Mask & 0xfn) !== 0n) {
    const inMemory = d.operands[0]?.kind === 'memory' ? 0x40n : 0n;
    leave(d, EXIT.cr, 0x30n | inMemory | (value << 16n));
  }
  loadCr0(p, next);
  return 'serialize';
};

const storeMachineStatus: Assist = (p, d) => {
  umip(p);
  const { cr0Mask, cr0Shadow } = p.controls;
  const value = (p.memory.read64(L.CR0) & ~cr0Mask) | (cr0Shadow & cr0Mask);
  writeOperand(p, d, 0, value, d.operands[0]?.kind === 'memory' ? 2 : undefined);
  return 'next';
};

const invalidatePage: Assist = (p, d) => {
  privileged(p);
  const segment = segmentOf(d);
  const offset = effectiveOffset(p, d);
  const linear = p.state.code64 ? offset + (segment >= 4 ? p.state.base(segment) : 0n) : offset + p.state.base(segment);
  if (primary(p, PRIMARY.invlpg)) leave(d, EXIT.invlpg, BigInt.asUintN(64, linear));
  // The TLB is coherent with the page tables: nothing stale is ever held.
  return 'next';
};

const invalidatePcid: Assist = (p, d) => {
  if (withheld(p, SECONDARY.invpcid)) throw new GuestFault(VECTOR.UD);
  privileged(p);
  if (primary(p, PRIMARY.invlpg)) leave(d, EXIT.invpcid);
  const bytes = p.readBytes(operandAddress(p, d, 16, false), 16);
  const type = readOperand(p, d, 0);
  const view = new DataView(bytes.buffer);
  const first = view.getBigUint64(0, true);
  if (type > 3n || first >> 12n !== 0n) throw new GuestFault(VECTOR.GP, 0);
  if ((p.state.cr4 & 0x20000) === 0 && type < 2n && first !== 0n) throw new GuestFault(VECTOR.GP, 0);
  if (type === 0n && !isCanonical(view.getBigUint64(8, true))) throw new GuestFault(VECTOR.GP, 0);
  return 'next';
};

/** CPL 0 only, then an exit if the control says so, else nothing. */
const exiting =
  (reason: number, when: (p: Processor) => boolean, cpl0 = true): Assist =>
  (p, d) => {
    if (cpl0) privileged(p);
    if (when(p)) leave(d, reason);
    return 'next';
  };

const halt: Assist = (p, d) => {
  privileged(p);
  if (primary(p, PRIMARY.hlt)) leave(d, EXIT.hlt);
  p.memory.write32(L.ACTIVITY, 1);
  p.stopSoon();
  return 'next';
};

const pause: Assist = (p, d) => {
  if (primary(p, PRIMARY.pause)) leave(d, EXIT.pause);
  if (p.state.cpl === 0 && secondary(p, SECONDARY.pauseLoop) && p.pauseLoop()) leave(d, EXIT.pause);
  return 'next';
};

/** An MSR exits unless its bit in the MSR bitmap is clear. SDM Vol. 3, 26.1.3. */
function msrExits(p: Processor, index: number, write: boolean): boolean {
  if (!primary(p, PRIMARY.msrBitmaps)) return true;
  const low = index <= 0x1fff;
  const high = index >= 0xc0000000 && index <= 0xc0001fff;
  if (!low && !high) return true;
  const at = (write ? 2048 : 0) + (high ? 1024 : 0) + ((index & 0x1fff) >>> 3);
  return (((p.controls.msrBitmap[at] as number) >>> (index & 7)) & 1) !== 0;
}

const CANONICAL_MSRS = new Set([0xc0000082, 0xc0000083, 0xc0000100, 0xc0000101, 0xc0000102, 0x175, 0x176]);

const readMsr: Assist = (p, d) => {
  privileged(p);
  const index = p.state.gpr32(1);
  if (msrExits(p, index, false)) leave(d, EXIT.rdmsr);
  const slot = L.MSR_SLOTS[index];
  if (index !== 0x10 && slot === undefined) leave(d, EXIT.rdmsr);
  const value = slot === undefined ? p.timeStamp() : p.memory.read64(slot);
  p.state.setGpr32(0, Number(value & 0xffff_ffffn));
  p.state.setGpr32(2, Number(value >> 32n));
  return 'next';
};

const writeMsr: Assist = (p, d) => {
  privileged(p);
  const index = p.state.gpr32(1);
  const slot = L.MSR_SLOTS[index];
  if (slot === undefined || msrExits(p, index, true)) leave(d, EXIT.wrmsr);
  const value = (BigInt(p.state.gpr32(2)) << 32n) | BigInt(p.state.gpr32(0));
  if (CANONICAL_MSRS.has(index) && !isCanonical(value)) throw new GuestFault(VECTOR.GP, 0);
  p.memory.write64(slot, index === 0x174 ? value & 0xffff_ffffn : value);
  return 'next';
};

/** RDTSC and RDTSCP when they exit or must check CR4.TSD. */
const readTimeStamp =
  (withAux: boolean): Assist =>
  (p, d) => {
    if (withAux && withheld(p, SECONDARY.rdtscp)) throw new GuestFault(VECTOR.UD);
    if ((p.state.cr4 & 4) !== 0 && p.state.cpl > 0) throw new GuestFault(VECTOR.GP, 0);
    if (primary(p, 12)) leave(d, withAux ? EXIT.rdtscp : EXIT.rdtsc);
    const now = p.timeStamp();
    p.state.setGpr32(0, Number(now & 0xffff_ffffn));
    p.state.setGpr32(2, Number(now >> 32n));
    if (withAux) p.state.setGpr32(1, p.memory.read32(L.TSC_AUX));
    return 'next';
  };

/** RDRAND and RDSEED take from the recorded stream; CF says there was one. */
const random =
  (reason: number, control: number): Assist =>
  (p, d) => {
    if (secondary(p, control)) leave(d, reason);
    writeOperand(p, d, 0, p.seed());
    p.state.setStatus(1);
    return 'next';
  };

const readPid: Assist = (p, d) => {
  writeOperand(p, d, 0, BigInt(p.memory.read32(L.TSC_AUX)));
  return 'next';
};

const readExtended: Assist = (p) => {
  if ((p.state.cr4 & 0x40000) === 0) throw new GuestFault(VECTOR.UD);
  if (p.state.gpr32(1) !== 0) throw new GuestFault(VECTOR.GP, 0);
  const value = p.memory.read64(L.XCR0);
  p.state.setGpr32(0, Number(value & 0xffff_ffffn));
  p.state.setGpr32(2, Number(value >> 32n));
  return 'next';
};

const writeExtended: Assist = (p, d) => {
  if ((p.state.cr4 & 0x40000) === 0) throw new GuestFault(VECTOR.UD);
  privileged(p);
  return leave(d, EXIT.xsetbv);
};

const undefinedInstruction: Assist = () => {
  throw new GuestFault(VECTOR.UD);
};

/** VMCLEAR and the others exit in non-root operation whatever the controls; KVM without nesting injects #UD. */
const VMX: Readonly<Record<string, number>> = {
  vmclear: 19, vmlaunch: 20, vmptrld: 21, vmptrst: 22, vmread: 23, vmresume: 24, vmwrite: 25, vmxoff: 26, vmxon: 27,
  invept: 50, invvpid: 53,
};

export const SYSTEM_ASSISTS: Readonly<Record<string, Assist>> = {
  mov: moveSpecial,
  'mov.absolute': moveAbsolute,
  clts: clearTaskSwitched,
  lmsw: loadMachineStatus,
  smsw: storeMachineStatus,
  invlpg: invalidatePage,
  invpcid: invalidatePcid,
  wbinvd: exiting(EXIT.wbinvd, (p) => secondary(p, SECONDARY.wbinvd)),
  wbnoinvd: exiting(EXIT.wbinvd, (p) => secondary(p, SECONDARY.wbinvd)),
  invd: exiting(EXIT.invd, () => true),
  hlt: halt,
  cpuid: (_, d) => leave(d, EXIT.cpuid),
  rdmsr: readMsr,
  wrmsr: writeMsr,
  rdtsc: readTimeStamp(false),
  rdtscp: readTimeStamp(true),
  rdpmc: (p, d) => {
    if (p.state.cpl > 0 && (p.state.cr4 & 0x100) === 0) throw new GuestFault(VECTOR.GP, 0);
    if (primary(p, PRIMARY.rdpmc)) leave(d, EXIT.rdpmc);
    throw new GuestFault(VECTOR.GP, 0);
  },
  rdrand: random(EXIT.rdrand, SECONDARY.rdrand),
  rdseed: random(EXIT.rdseed, SECONDARY.rdseed),
  rdpid: readPid,
  xgetbv: readExtended,
  xsetbv: writeExtended,
  pause,
  monitor: exiting(EXIT.monitor, (p) => primary(p, 29)),
  mwait: exiting(EXIT.mwait, (p) => primary(p, PRIMARY.mwait)),
  vmcall: (_, d) => leave(d, EXIT.vmcall),
  vmmcall: undefinedInstruction,
  vmfunc: undefinedInstruction,
  rsm: undefinedInstruction,
  ud0: undefinedInstruction,
  ud1: undefinedInstruction,
  ud2: undefinedInstruction,
  ...Object.fromEntries(
    Object.entries(VMX).map(([name, reason]) => [name, ((_, d) => leave(d, reason)) satisfies Assist]),
  ),
};
