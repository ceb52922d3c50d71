import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { RegisterFile } from '../core/core.ts';
import { GPR } from '../../x86/registers.ts';

/** DIV and IDIV of rdx:rax by the 64-bit divisor the handler left in scratch. */
export function divide128(p: RegisterFile): boolean {
  const { memory, state } = p;
  const signed = memory.read32(L.XMM_SCRATCH + 8) !== 0;
  const raw = (state.gpr(GPR.RDX) << 64n) | state.gpr(GPR.RAX);
  const dividend = signed ? BigInt.asIntN(128, raw) : raw;
  const divisor = signed ? BigInt.asIntN(64, memory.read64(L.XMM_SCRATCH)) : memory.read64(L.XMM_SCRATCH);
  const quotient = dividend / divisor;
  const fits = signed ? BigInt.asIntN(64, quotient) === quotient : quotient >> 64n === 0n;
  if (!fits) throw new GuestFault(VECTOR.DE);
  state.setGpr(GPR.RAX, BigInt.asUintN(64, quotient));
  state.setGpr(GPR.RDX, BigInt.asUintN(64, dividend % divisor));
  return true;
}
