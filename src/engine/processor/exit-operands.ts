import { byNumber, field, type Operand, QUALIFICATION } from '../../x86/exit-reasons.ts';
import type { GuestStop, VmExit } from '../../x86/guest.ts';
import { ioBreakpoints } from '../state/io-breakpoints.ts';
import type { CpuState } from '../state/state.ts';
import { GPR } from '../../x86/registers.ts';

type Operands = Pick<GuestStop, 'a0' | 'a1' | 'a2' | 'a3' | 'a4' | 'a5'>;
type Read = (state: CpuState, exit: VmExit) => bigint;

const low = (state: CpuState, index: number): bigint => BigInt(state.gpr32(index));
/** Of a register or port access, which has 32 bits of it. */
const qualificationOf = (exit: VmExit): number => Number(exit.qualification);
const IO = QUALIFICATION.IO_INSTRUCTION;

/** How an operand is read, by its name in exit-reasons.ts. */
const READ: Readonly<Record<Operand, Read>> = {
  eax: (state) => low(state, 0),
  ecx: (state) => low(state, 1),
  'edx:eax': (state) => (low(state, 2) << 32n) | low(state, 0),
  rax: (state) => state.gpr(GPR.RAX),
  rcx: (state) => state.gpr(GPR.RCX),
  rdx: (state) => state.gpr(GPR.RDX),
  rbx: (state) => state.gpr(GPR.RBX),
  rsi: (state) => state.gpr(GPR.RSI),
  // Control and debug register accesses name their register in the same place.
  source: (state, exit) => {
    const value = state.gpr(field(qualificationOf(exit), QUALIFICATION.CR_ACCESS.register));
    return state.code64 ? value : value & 0xffff_ffffn;
  },
  out: (state, exit) => {
    const qualification = qualificationOf(exit);
    if (field(qualification, IO.string) !== 0) return state.gpr(GPR.RCX);
    const width = 8 * (field(qualification, IO.size) + 1);
    return field(qualification, IO.in) !== 0 ? state.gpr(GPR.RAX) : BigInt.asUintN(width, state.gpr(GPR.RAX));
  },
  address: (_state, exit) => exit.guestLinearAddress,
  breakpoints: (state, exit) => {
    const qualification = qualificationOf(exit);
    const hits = ioBreakpoints(state.memory, field(qualification, IO.port), field(qualification, IO.size) + 1);
    return hits === 0 ? 0n : BigInt(hits);
  },
  mode: (state) => BigInt(state.cpl | (state.code64 ? 4 : 0)),
};

const nothing: Read = () => 0n;
const NO_OPERANDS: Operands = { a0: 0n, a1: 0n, a2: 0n, a3: 0n, a4: 0n, a5: 0n };

/** How each of the six is read, of which the first `count` are anything. */
interface Readers {
  readonly count: number;
  readonly a0: Read;
  readonly a1: Read;
  readonly a2: Read;
  readonly a3: Read;
  readonly a4: Read;
  readonly a5: Read;
}

const READERS = byNumber(([, { operands = [] }]): Readers | undefined => {
  const [a0, a1 = nothing, a2 = nothing, a3 = nothing, a4 = nothing, a5 = nothing] = operands.map((name) => READ[name]);
  return a0 === undefined ? undefined : { count: operands.length, a0, a1, a2, a3, a4, a5 };
});

/** What the exit's handler may look at; see GuestStop. */
export function exitOperands(state: CpuState, exit: VmExit | undefined): Operands {
  if (exit === undefined) return NO_OPERANDS;
  const readers = READERS[exit.reason];
  if (readers === undefined) return NO_OPERANDS;
  const { count, a0, a1, a2, a3, a4, a5 } = readers;
  // Most have few, and a call that gives nothing costs as much as one that gives something.
  if (count <= 3) {
    const first = a0(state, exit);
    const second = count > 1 ? a1(state, exit) : 0n;
    return { a0: first, a1: second, a2: count > 2 ? a2(state, exit) : 0n, a3: 0n, a4: 0n, a5: 0n };
  }
  return {
    a0: a0(state, exit),
    a1: a1(state, exit),
    a2: a2(state, exit),
    a3: a3(state, exit),
    a4: a4(state, exit),
    a5: a5(state, exit),
  };
}
