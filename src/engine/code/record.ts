import * as L from '../state/layout.ts';
import type { EngineMemory } from '../state/memory.ts';
import { type DecodedInstruction, ICED } from './instruction.ts';
import { SEG } from '../../x86/registers.ts';

const MASK_64 = 0xffff_ffff_ffff_ffffn;

/** Byte address of the register an operand names, in the register block. */
export function registerSlot(register: number): number {
  const general = ICED.general(register);
  if (general !== undefined) return L.GPR + 8 * general.index + (general.high ? 1 : 0);
  const xmm = ICED.xmm(register);
  if (xmm !== undefined) return L.XMM + 16 * xmm;
  const mm = ICED.mm(register);
  // MM registers alias the mantissas of the x87 registers. SDM Vol. 1, 9.2.1.
  return mm !== undefined ? L.X87_REGISTERS + 16 * mm : L.ZERO_SLOT;
}

function addressSlot(register: number): number {
  if (register === ICED.none) return L.ZERO_SLOT;
  if (register === ICED.rip || register === ICED.eip) return L.RIP_PAGE;
  return registerSlot(register);
}

/** Write the record at `at` for instruction `d` at page offset `offset` (decoded with rip = offset). */
export function writeRecord(
  memory: EngineMemory,
  at: number,
  d: DecodedInstruction,
  offset: number,
  handler: number,
): void {
  const { view, u8 } = memory;
  u8.fill(0, at, at + L.RECORD);
  view.setUint16(at + L.R_HANDLER, handler, true);
  view.setUint8(at + L.R_LENGTH, d.length);
  view.setUint16(at + L.R_OFFSET, offset, true);
  view.setUint16(at + L.R_NEXT, offset + d.length, true);
  let registers = 0;
  for (const operand of d.operands) {
    if (operand.kind === 'register' && registers < 3) {
      view.setUint16(at + (L.R_REG[registers++] as number), registerSlot(operand.register), true);
    } else if (operand.kind === 'immediate') {
      view.setBigUint64(at + L.R_IMM, BigInt.asUintN(64, operand.value), true);
    } else if (operand.kind === 'near') {
      view.setBigUint64(at + L.R_IMM, relative(d, offset, operand) & MASK_64, true);
      view.setUint8(at + L.R_CUT, operand.size === 2 ? 1 : 0);
    }
  }
  writeAddress(memory, at, d);
  u8.set(d.bytes, at + L.R_BYTES);
}

/** Signed distance from the next instruction; targets were computed in the width of the branch. */
function relative(d: DecodedInstruction, offset: number, { target, size }: { target: bigint; size: number }): bigint {
  return BigInt.asIntN(8 * size, target - BigInt(offset + d.length));
}

function writeAddress(memory: EngineMemory, at: number, d: DecodedInstruction): void {
  const { view } = memory;
  const segment = ICED.segment(d.segment) ?? 3;
  view.setUint16(at + L.R_BASE, addressSlot(d.base), true);
  view.setUint16(at + L.R_INDEX, addressSlot(d.index), true);
  view.setUint8(at + L.R_SCALE, Math.log2(d.scale || 1));
  view.setUint8(at + L.R_SEGMENT, segment);
  const ignored = segment < SEG.FS; // flat kinds: only FS and GS have a base
  view.setUint16(at + L.R_SEGBASE, ignored ? L.ZERO_SLOT : L.SEG_BASE + 8 * segment, true);
  view.setInt32(at + L.R_DISP, Number(BigInt.asIntN(32, d.displacement)), true);
  view.setUint8(at + L.R_WRAP, d.addressSize === 8 ? 0 : d.addressSize === 4 ? 32 : 48);
}
