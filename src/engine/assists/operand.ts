import { type DecodedInstruction, ICED } from '../code/instruction.ts';
import { registerSlot } from '../code/record.ts';
import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { Core, GuestMemory, RegisterFile } from '../core/core.ts';
import { GPR, SEG } from '../../x86/registers.ts';

/**
 * What an assist did: 'next' goes on after it, 'serialize' too but looks everything up again, 'jump' set rip, 'exit'
 * left the VM exit with the processor.
 */
export type Outcome = 'next' | 'serialize' | 'jump' | 'exit';
export type Assist = (p: Core, d: DecodedInstruction) => Outcome;

/** Where operands are: registers and memory. */
export type Operands = RegisterFile & GuestMemory;

function registerValue(p: RegisterFile, register: number): bigint {
  if (register === ICED.none) return 0n;
  if (register === ICED.rip || register === ICED.eip) return p.memory.read64(L.RIP_PAGE);
  const slot = registerSlot(register);
  const general = ICED.general(register);
  return general === undefined ? 0n : p.memory.view.getBigUint64(slot & ~7, true);
}

/** Offset of the memory operand inside its segment, wrapped to the address size. */
export function effectiveOffset(p: RegisterFile, d: DecodedInstruction, extra = 0n): bigint {
  const bits = d.addressSize * 8;
  let index = registerValue(p, d.index);
  if (d.mnemonic === 'xlatb') index &= 0xffn;
  const sum = registerValue(p, d.base) + index * BigInt(d.scale) + d.displacement + extra;
  return BigInt.asUintN(bits, sum);
}

/** Segment number of the memory operand. */
export const segmentOf = (d: DecodedInstruction): number => ICED.segment(d.segment) ?? 3;

/** Linear address of the memory operand, checked for an access of `size` bytes. */
export function operandAddress(p: Operands, d: DecodedInstruction, size: number, write: boolean, extra = 0n): bigint {
  return p.linear(segmentOf(d), effectiveOffset(p, d, extra), size, write);
}

/** Value of operand `k`: register, immediate or memory of `size` bytes (default: its own). */
export function readOperand(p: Operands, d: DecodedInstruction, k: number, size?: number): bigint {
  const operand = d.operands[k];
  if (operand === undefined) throw new GuestFault(VECTOR.UD);
  switch (operand.kind) {
    case 'register':
      return readRegister(p, operand.register, operand.size);
    case 'immediate':
      return BigInt.asUintN(operand.size * 8, operand.value);
    case 'memory': {
      const bytes = size ?? operand.size;
      return p.readValue(operandAddress(p, d, bytes, false), bytes);
    }
    default:
      throw new GuestFault(VECTOR.UD);
  }
}

function readRegister(p: RegisterFile, register: number, size: number): bigint {
  const slot = registerSlot(register);
  const { view } = p.memory;
  switch (size) {
    case 1:
      return BigInt(view.getUint8(slot));
    case 2:
      return BigInt(view.getUint16(slot, true));
    case 4:
      return BigInt(view.getUint32(slot, true));
    default:
      return view.getBigUint64(slot, true);
  }
}

function writeRegister(p: RegisterFile, register: number, size: number, value: bigint): void {
  const slot = registerSlot(register);
  const { view } = p.memory;
  switch (size) {
    case 1:
      view.setUint8(slot, Number(value & 0xffn));
      return;
    case 2:
      view.setUint16(slot, Number(value & 0xffffn), true);
      return;
    case 4:
      view.setBigUint64(slot, value & 0xffff_ffffn, true);
      return;
    default:
      view.setBigUint64(slot, BigInt.asUintN(64, value), true);
  }
}

export function writeOperand(p: Operands, d: DecodedInstruction, k: number, value: bigint, size?: number): void {
  const operand = d.operands[k];
  if (operand?.kind === 'register') writeRegister(p, operand.register, operand.size, value);
  else if (operand?.kind === 'memory') {
    const bytes = size ?? operand.size;
    p.writeValue(operandAddress(p, d, bytes, true), bytes, value);
  }
}

/** rip after the instruction, before wrapping. */
export const ripAfter = (p: RegisterFile, d: DecodedInstruction): bigint =>
  BigInt.asUintN(64, p.state.rip + BigInt(d.length)) & p.memory.read64(L.RIP_MASK);

/** The stack, in the current mode. */
function stackLinear(p: Operands, offset: bigint, size: number, write: boolean): bigint {
  return p.linear(SEG.SS, offset & p.memory.read64(L.STACK_MASK), size, write);
}

export function push(p: Operands, value: bigint, size: number): void {
  const top = (p.state.gpr(GPR.RSP) - BigInt(size)) & p.memory.read64(L.STACK_MASK);
  p.writeValue(stackLinear(p, top, size, true), size, value);
  setStack(p, top);
}

/** Value `depth` bytes above the top of the stack. */
export function peekStack(p: Operands, size: number, depth = 0): bigint {
  return p.readValue(stackLinear(p, p.state.gpr(GPR.RSP) + BigInt(depth), size, false), size);
}

export function setStack(p: RegisterFile, pointer: bigint): void {
  const mask = p.memory.read64(L.STACK_MASK);
  p.state.setGpr(GPR.RSP, (p.state.gpr(GPR.RSP) & ~mask) | (pointer & mask));
}

export function popBytes(p: RegisterFile, bytes: number): void {
  setStack(p, p.state.gpr(GPR.RSP) + BigInt(bytes));
}

/** Operand size of a stack instruction: 8 in 64-bit mode unless 66h. */
export function stackOperandSize(p: RegisterFile, d: DecodedInstruction): 2 | 4 | 8 {
  if (p.state.code64) return d.operandSize === 2 ? 2 : 8;
  return d.operandSize;
}
