import type { GuestStop, VmExit } from '../x86/guest.ts';
import { ioBreakpoints } from './io-breakpoints.ts';
import type { CpuState } from './state.ts';

type Operands = Pick<GuestStop, 'a0' | 'a1' | 'a2' | 'a3' | 'a4' | 'a5'>;

const NO_OPERANDS: Operands = { a0: 0n, a1: 0n, a2: 0n, a3: 0n, a4: 0n, a5: 0n };

/** What the exit's handler may look at; see GuestStop. */
export function exitOperands(state: CpuState, exit: VmExit | undefined): Operands {
  const g = (index: number): bigint => state.gpr(index);
  const low = (index: number): bigint => BigInt(state.gpr32(index));
  const pair = (): bigint => (low(2) << 32n) | low(0);
  const q = exit?.qualification ?? 0n;
  switch (exit?.reason) {
    case 10:
      return { ...NO_OPERANDS, a0: low(0), a1: low(1) };
    case 18:
      return { a0: g(0), a1: g(3), a2: g(1), a3: g(2), a4: g(6), a5: BigInt(state.cpl | (state.code64 ? 4 : 0)) };
    case 28:
    case 29:
      return { ...NO_OPERANDS, a0: sourceRegister(state, Number((q >> 8n) & 15n)) };
    case 30: {
      const size = Number(q & 7n) + 1;
      const hits = ioBreakpoints(state.memory, Number((q >> 16n) & 0xffffn), size);
      const a2 = hits === 0 ? 0n : BigInt(hits);
      if ((q & 16n) !== 0n) return { ...NO_OPERANDS, a0: g(1), a1: exit?.guestLinearAddress ?? 0n, a2 };
      return { ...NO_OPERANDS, a0: (q & 8n) !== 0n ? g(0) : BigInt.asUintN(8 * size, g(0)), a2 };
    }
    case 31:
    case 32:
    case 55:
      return { ...NO_OPERANDS, a0: low(1), a1: pair() };
    default:
      return NO_OPERANDS;
  }
}

function sourceRegister(state: CpuState, index: number): bigint {
  const value = state.gpr(index);
  return state.code64 ? value : value & 0xffff_ffffn;
}
