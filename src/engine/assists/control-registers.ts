import { type DecodedInstruction, ICED } from '../code/instruction.ts';
import { GuestFault, VECTOR, vmExit } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { Core } from '../core/core.ts';
import { type Assist, type Outcome, readOperand, writeOperand } from './operand.ts';
import { moveSegment, umip } from './segments.ts';
import { PRIMARY } from '../../x86/controls.ts';
import { EXIT } from '../../x86/exit-reasons.ts';
import { leave, primary, privileged } from './exits.ts';
import {
  ACCESS,
  CR0,
  CR0_TS,
  CR4,
  CR4_PAE,
  CR4_PCIDE,
  CR4_VMXE,
  DR6,
  DR6_ONES,
  DR7,
  DR7_ONE,
  EFER,
  SEG,
} from '../../x86/registers.ts';

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

function readControl(p: Core, d: DecodedInstruction, number: number): Outcome {
  privileged(p);
  const { memory, controls } = p;
  const exits =
    (number === 3 && primary(p, PRIMARY.CR3_STORE_EXITING)) || (number === 8 && primary(p, PRIMARY.CR8_STORE_EXITING));
  if (exits) return leave(p, d, EXIT.CR_ACCESS, BigInt(number | (1 << 4) | (registerNumber(d, 0) << 8)));
  let value: bigint;
  // biome-ignore format: a table
  switch (number) {
    case 0: value = (memory.read64(L.CR0) & ~controls.cr0Mask) | (controls.cr0Shadow & controls.cr0Mask); break;
    case 2: value = memory.read64(L.CR2); break;
    case 3: value = memory.read64(L.CR3); break;
    case 4: value = (memory.read64(L.CR4) & ~controls.cr4Mask) | (controls.cr4Shadow & controls.cr4Mask); break;
    case 8: value = memory.read64(L.CR8); break;
    default: throw new GuestFault(VECTOR.UD);
  }
  writeOperand(p, d, 0, value);
  return 'next';
}

function writeControl(p: Core, d: DecodedInstruction, number: number): Outcome {
  privileged(p);
  const { controls } = p;
  const value = readOperand(p, d, 1);
  const exit = (): Outcome => leave(p, d, EXIT.CR_ACCESS, BigInt(number | (registerNumber(d, 1) << 8)));
  switch (number) {
    case 0:
      if (((value ^ controls.cr0Shadow) & controls.cr0Mask) !== 0n) return exit();
      loadCr0(p, (value & ~controls.cr0Mask) | (p.memory.read64(L.CR0) & controls.cr0Mask));
      break;
    case 2:
      p.memory.write64(L.CR2, value);
      return 'next';
    case 3:
      if (primary(p, PRIMARY.CR3_LOAD_EXITING)) return exit();
      loadCr3(p, value);
      break;
    case 4:
      if (((value ^ controls.cr4Shadow) & controls.cr4Mask) !== 0n) return exit();
      loadCr4(p, (value & ~controls.cr4Mask) | (p.memory.read64(L.CR4) & controls.cr4Mask));
      break;
    case 8:
      if (primary(p, PRIMARY.CR8_LOAD_EXITING)) return exit();
      if (value > 15n) throw new GuestFault(VECTOR.GP, 0);
      p.memory.write64(L.CR8, value);
      if (primary(p, PRIMARY.TPR_SHADOW) && Number(value) < controls.tprThreshold) return belowThreshold(p, d);
      return 'next';
    default:
      throw new GuestFault(VECTOR.UD);
  }
  return 'serialize';
}

/** The TPR-threshold exit comes after the instruction. SDM Vol. 3, 30.1.2. */
function belowThreshold(p: Core, d: DecodedInstruction): Outcome {
  p.state.advanceRip(d.length);
  p.retireBeforeExit();
  return p.exitWith(vmExit({ reason: EXIT.TPR_BELOW_THRESHOLD }));
}

/** MOV to CR0: consistency and the activation of long mode. SDM Vol. 3, 2.5 and 4.1.2. */
function loadCr0(p: Core, wanted: bigint): void {
  const { memory } = p;
  if (wanted >> 32n !== 0n) throw new GuestFault(VECTOR.GP, 0);
  const value = Number(wanted) | CR0.ET;
  const old = memory.read32(L.CR0);
  const paging = value >>> 31 === 1;
  if (paging && (value & CR0.PE) === 0) throw new GuestFault(VECTOR.GP, 0);
  if ((value & CR0.NW) !== 0 && (value & CR0.CD) === 0) throw new GuestFault(VECTOR.GP, 0);
  let efer = memory.read32(L.EFER);
  const turnsOn = paging && old >>> 31 === 0;
  if (turnsOn && (efer & EFER.LME) !== 0) {
    const longCode = (p.state.access(SEG.CS) & ACCESS.LONG) !== 0;
    if ((memory.read32(L.CR4) & CR4.PAE) === 0 || longCode) throw new GuestFault(VECTOR.GP, 0);
    efer |= EFER.LMA;
  }
  if (!paging && old >>> 31 === 1) {
    if (p.state.code64) throw new GuestFault(VECTOR.GP, 0);
    efer &= ~EFER.LMA;
  }
  const usesPae = paging && (memory.read32(L.CR4) & CR4.PAE) !== 0 && (efer & EFER.LMA) === 0;
  if (usesPae && ((value ^ old) & (CR0.PG | CR0.CD | CR0.NW)) !== 0) loadPointers(p, memory.read64(L.CR3));
  memory.write32(L.EFER, efer);
  memory.write64(L.CR0, BigInt(value >>> 0));
  p.refresh();
}

/** Read the four PAE page-directory-pointer entries; reserved bits are a #GP. SDM Vol. 3, 4.4.1. */
export function loadPointers(p: Core, cr3: bigint): void {
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

function loadCr3(p: Core, value: bigint): void {
  const { state, memory } = p;
  if (!state.longMode) {
    const low = value & 0xffff_ffffn;
    if (p.mmu.mode.paging && p.mmu.mode.pae) loadPointers(p, low);
    memory.write64(L.CR3, low);
  } else {
    const pcid = (state.cr4 & CR4.PCIDE) !== 0;
    const address = pcid ? value & ~(1n << 63n) : value;
    if (address >= PHYSICAL_LIMIT) throw new GuestFault(VECTOR.GP, 0);
    memory.write64(L.CR3, address);
  }
  p.mmu.refresh();
}

/** Bits of CR4 whose change loads PAE's pointers. SDM Vol. 3, 4.4.1. */
const POINTERS_RELOADED = BigInt(CR4.PSE | CR4.PAE | CR4.PGE | CR4.SMEP);

/** Bits of CR4 this processor has. */
const CR4_KNOWN = 0x370fffn;

function loadCr4(p: Core, value: bigint): void {
  const { memory, state } = p;
  const old = memory.read64(L.CR4);
  // VMXE is the host's while a guest runs: it stays as it is.
  if ((value & ~(CR4_KNOWN | (old & CR4_VMXE))) !== 0n) throw new GuestFault(VECTOR.GP, 0);
  if (state.longMode && (value & CR4_PAE) === 0n) throw new GuestFault(VECTOR.GP, 0);
  const setsPcid = (value & ~old & CR4_PCIDE) !== 0n;
  if (setsPcid && (!state.longMode || (memory.read64(L.CR3) & 0xfffn) !== 0n)) throw new GuestFault(VECTOR.GP, 0);
  const pae = (value & CR4_PAE) !== 0n;
  const pagingBits = (value ^ old) & POINTERS_RELOADED;
  if (p.mmu.mode.paging && pae && !state.longMode && pagingBits !== 0n) loadPointers(p, memory.read64(L.CR3));
  memory.write64(L.CR4, value);
  p.refresh();
}

/** MOV from (`read`) or to a debug register exits with operand `k` as its source or destination. */
function exitByDebug(p: Core, d: DecodedInstruction, number: number, read: boolean, k: number): Outcome {
  return leave(p, d, EXIT.DR_ACCESS, BigInt(number | (read ? 0x10 : 0) | (registerNumber(d, k) << 8)));
}

/** The register a debug access that did not exit is for. */
function debugRegister(p: Core, number: number): number {
  let real = number;
  if (number === 4 || number === 5) {
    if ((p.state.cr4 & CR4.DE) !== 0) throw new GuestFault(VECTOR.UD);
    real += 2;
  }
  if (number > 7) throw new GuestFault(VECTOR.UD);
  if ((p.memory.read32(L.DR7) & DR7.GD) !== 0) {
    p.events.pendingDebug = DR6.BD;
    throw new GuestFault(VECTOR.DB);
  }
  return real;
}

function readDebug(p: Core, d: DecodedInstruction, number: number): Outcome {
  privileged(p);
  if (primary(p, PRIMARY.MOV_DR_EXITING)) return exitByDebug(p, d, number, true, 0);
  const real = debugRegister(p, number);
  writeOperand(p, d, 0, p.memory.read64(L.DR + 8 * real));
  return 'next';
}

function writeDebug(p: Core, d: DecodedInstruction, number: number): Outcome {
  privileged(p);
  if (primary(p, PRIMARY.MOV_DR_EXITING)) return exitByDebug(p, d, number, false, 1);
  const real = debugRegister(p, number);
  let value = readOperand(p, d, 1);
  if (real >= 6 && value >> 32n !== 0n) throw new GuestFault(VECTOR.GP, 0);
  if (real === 6) value = (value & 0x1e00fn) | DR6_ONES;
  if (real === 7) value = (value & 0xffff_2bffn) | DR7_ONE;
  p.memory.write64(L.DR + 8 * real, value);
  p.debug.changed();
  p.clock.stopSoon();
  return 'serialize';
}

const clearTaskSwitched: Assist = (p, d) => {
  privileged(p);
  const { cr0Mask, cr0Shadow } = p.controls;
  if ((cr0Mask & CR0_TS) !== 0n) {
    if ((cr0Shadow & CR0_TS) !== 0n) return leave(p, d, EXIT.CR_ACCESS, 0x20n);
    return 'next';
  }
  p.memory.write64(L.CR0, p.memory.read64(L.CR0) & ~CR0_TS);
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
    return leave(p, d, EXIT.CR_ACCESS, 0x30n | inMemory | (value << 16n));
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

/** MOV of special registers, CLTS, LMSW, SMSW. */
export const CONTROL_REGISTER_ASSISTS: Readonly<Record<string, Assist>> = {
  mov: moveSpecial,
  'mov.absolute': moveAbsolute,
  clts: clearTaskSwitched,
  lmsw: loadMachineStatus,
  smsw: storeMachineStatus,
};
