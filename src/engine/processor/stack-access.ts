import { decodeInstruction, ICED } from '../code/instruction.ts';
import * as L from '../state/layout.ts';
import type { Peeking } from '../core/core.ts';
import { GPR, SEG } from '../../x86/registers.ts';

const STACK = /^(push|pop|call|ret|leave|enter|iret)/;

/**
 * Whether the access of the instruction at RIP to a non-canonical address was by way of SS: then it is #SS(0), not
 * #GP(0). SDM Vol. 3, 6.15.
 */
export function refusedByStack(p: Peeking): boolean {
  const bytes = codeBytes(p, p.state.rip);
  const d = bytes === undefined ? 'invalid' : decodeInstruction(bytes, 64, 0n);
  if (typeof d === 'string') return false;
  const accessesMemory = d.operands.some((operand) => operand.kind === 'memory');
  if (accessesMemory && ICED.segment(d.segment) === SEG.SS) return true;
  const pointer = p.state.gpr(GPR.RSP);
  return STACK.test(d.mnemonic) && BigInt.asUintN(64, BigInt.asIntN(48, pointer)) !== pointer;
}

/** The bytes at `rip` of 64-bit code, as far as they lie in one page and are mapped. */
export function codeBytes(p: Peeking, rip: bigint): Uint8Array | undefined {
  const found = p.mmu.peek(Number(BigInt.asIntN(32, rip)), Number(BigInt.asIntN(32, rip >> 32n)));
  if (found === undefined || found.host < 0) return undefined;
  const at = L.HOST_MEMORY + found.host + (found.gpa % 4096);
  return p.memory.u8.slice(at, at + 15);
}
