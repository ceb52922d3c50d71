import { PRIMARY } from '../../x86/controls.ts';
import { EXIT } from '../../x86/exit-reasons.ts';
import type { DecodedInstruction } from '../code/instruction.ts';
import { GuestFault, instructionExit, VECTOR } from '../core/fault.ts';
import { ioBreakpoints } from '../state/io-breakpoints.ts';
import * as L from '../state/layout.ts';
import type { Core } from '../core/core.ts';
import { type Assist, segmentOf } from './operand.ts';
import { RFLAGS, SEG } from '../../x86/registers.ts';

/** IOPL and the TSS's I/O permission bitmap. SDM Vol. 1, 19.5. */
function checkPermission(p: Core, port: number, size: number): void {
  const { state } = p;
  if (!state.protectedMode || (state.cpl <= state.iopl && !state.virtual8086)) return;
  const limit = state.limit(SEG.TR);
  const type = state.access(SEG.TR) & 15;
  if ((type !== 11 && type !== 9) || limit < 103) throw new GuestFault(VECTOR.GP, 0);
  p.asSystem(() => {
    const map = p.read(state.base(SEG.TR) + 102n, 2);
    const at = map + (port >>> 3);
    if (at + 1 > limit) throw new GuestFault(VECTOR.GP, 0);
    const bits = p.read(state.base(SEG.TR) + BigInt(at), 2) >>> (port & 7);
    if ((bits & ((1 << size) - 1)) !== 0) throw new GuestFault(VECTOR.GP, 0);
  });
}

/** Whether the access exits: unconditional I/O exiting, or a set bit in the I/O bitmaps. SDM Vol. 3, 26.1.3. */
function exits(p: Core, port: number, size: number): boolean {
  const { primary, ioBitmap } = p.controls;
  if ((primary & PRIMARY.IO_BITMAPS) === 0) return (primary & PRIMARY.UNCONDITIONAL_IO_EXITING) !== 0;
  for (let i = 0; i < size; i++) {
    const at = port + i;
    if (at > 0xffff || (((ioBitmap[at >>> 3] as number) >>> (at & 7)) & 1) !== 0) return true;
  }
  return false;
}

/** What the instruction does, from its encoding. */
export interface PortAccess {
  readonly port: number;
  readonly size: 1 | 2 | 4;
  readonly input: boolean;
  readonly string: boolean;
  readonly repeated: boolean;
  readonly immediate: boolean;
}

/** Decode IN, OUT, INS or OUTS against the registers. */
export function portAccess(p: Core, d: DecodedInstruction): PortAccess {
  const name = d.mnemonic;
  const string = name.length === 4 || name.length === 5;
  const input = name.startsWith('in');
  if (string) {
    const letter = name[name.length - 1];
    const size = letter === 'b' ? 1 : letter === 'w' ? 2 : 4;
    return { port: p.state.gpr32(2) & 0xffff, size, input, string, repeated: d.rep || d.repne, immediate: false };
  }
  const [first, second] = d.operands;
  const portOperand = input ? second : first;
  const data = input ? first : second;
  const immediate = portOperand?.kind === 'immediate';
  const port = immediate ? Number(portOperand.value & 0xffn) : p.state.gpr32(2) & 0xffff;
  const size = data?.kind === 'register' ? data.size : 1;
  return { port, size: size as 1 | 2 | 4, input, string: false, repeated: false, immediate };
}

/** Qualification of an I/O exit. SDM Vol. 3, Table 28-5. */
function qualification(a: PortAccess): bigint {
  const bits = (a.size - 1) | (a.input ? 8 : 0) | (a.string ? 16 : 0) | (a.repeated ? 32 : 0) | (a.immediate ? 64 : 0);
  return BigInt(bits + a.port * 0x10000);
}

const portInstruction: Assist = (p, d) => {
  const access = portAccess(p, d);
  checkPermission(p, access.port, access.size);
  if (access.string && access.repeated && p.state.counter(d.addressSize) === 0n) return 'next';
  const leaves = exits(p, access.port, access.size);
  if (!leaves) {
    // Nothing but KVM answers ports here: an access that does not exit reads all ones.
    if (access.input && !access.string) p.state.setAccumulator(access.size, 0xffff_ffffn);
    p.debug.noteHits(ioBreakpoints(p.memory, access.port, access.size));
    return 'next';
  }
  const exit = instructionExit(EXIT.IO_INSTRUCTION, qualification(access), d.length);
  if (!access.string) return p.exitWith(exit);
  const guestLinearAddress = stringAddress(p, d, access);
  return p.exitWith({ ...exit, guestLinearAddress, instructionInfo: stringInfo(d) });
};

/** VM-exit instruction information of INS and OUTS. SDM Vol. 3, Table 28-8. */
function stringInfo(d: DecodedInstruction): number {
  const size = d.addressSize === 2 ? 0 : d.addressSize === 4 ? 1 : 2;
  return (size << 7) | (segmentOf(d) << 15);
}

/** Linear address of the element, checked as the instruction would. */
export function stringAddress(p: Core, d: DecodedInstruction, access: PortAccess): bigint {
  const mask = (1n << BigInt(8 * d.addressSize)) - 1n;
  const offset = p.state.gpr(access.input ? 7 : 6) & mask;
  return p.linear(access.input ? 0 : segmentOf(d), offset, access.size, access.input);
}

/** Move rSI or rDI and rCX after `count` elements of a string I/O instruction. */
export function advanceString(p: Core, d: DecodedInstruction, access: PortAccess, count: number): void {
  const mask = (1n << BigInt(8 * d.addressSize)) - 1n;
  const down = (p.memory.read32(L.FLAGS_REST) & RFLAGS.DF) !== 0;
  const step = BigInt(down ? -access.size * count : access.size * count);
  const move = (index: number, by: bigint): void => {
    const old = p.state.gpr(index);
    const moved = (old + by) & mask;
    p.state.setGpr(index, d.addressSize === 2 ? (old & ~mask) | moved : moved);
  };
  move(access.input ? 7 : 6, step);
  if (access.repeated) move(1, BigInt(-count));
}

export const IO_ASSISTS: Readonly<Record<string, Assist>> = {
  in: portInstruction,
  out: portInstruction,
  insb: portInstruction,
  insw: portInstruction,
  insd: portInstruction,
  outsb: portInstruction,
  outsw: portInstruction,
  outsd: portInstruction,
};
