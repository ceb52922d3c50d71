import { decodeInstruction } from '../code/instruction.ts';
import type { Peeking } from '../core/core.ts';
import { codeBytes } from './stack-access.ts';
import { GPR } from '../../x86/registers.ts';

/**
 * A near branch to a non-canonical address faults before it is taken. When the instruction at `rip` is one, put the
 * processor back before it; false: it is not, and the fault is the fetch's own. SDM Vol. 2, JMP, CALL, RET.
 */
export function undoStrayBranch(p: Peeking, rip: bigint): boolean {
  const bytes = codeBytes(p, rip);
  const d = bytes === undefined ? 'invalid' : decodeInstruction(bytes, 64, rip);
  if (typeof d === 'string' || !/^(j|loop|call$|ret$)/.test(d.mnemonic)) return false;
  const [operand] = d.operands;
  // A conditional branch that was not taken: what follows it is the fetch's own fault.
  if (p.state.rip === BigInt.asUintN(64, rip + BigInt(d.length))) return false;
  if (d.mnemonic.startsWith('loop')) {
    const count = p.state.gpr(GPR.RCX) + 1n;
    p.state.setGpr(GPR.RCX, BigInt.asUintN(8 * d.addressSize, count));
  }
  if (d.mnemonic === 'call') p.state.setGpr(GPR.RSP, BigInt.asUintN(64, p.state.gpr(GPR.RSP) + 8n));
  if (d.mnemonic === 'ret') {
    const parameters = operand?.kind === 'immediate' ? operand.value & 0xffffn : 0n;
    p.state.setGpr(GPR.RSP, BigInt.asUintN(64, p.state.gpr(GPR.RSP) - 8n - parameters));
  }
  p.state.rip = rip;
  return true;
}
