import type { DecodedInstruction } from '../code/instruction.ts';
import { registerSlot } from '../code/record.ts';
import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import { SLOW, SLOW_OPERATIONS } from '../meanings/vector/slow.ts';
import type { EngineMemory } from '../state/memory.ts';
import type { Core } from '../core/core.ts';
import { type Assist, segmentOf } from './operand.ts';
import type { SlowContext, SlowRoutine } from './slow-routine.ts';
import { FLOAT_ROUTINES } from './vector-float.ts';
import { INTEGER_ROUTINES } from './vector-integer.ts';
import { CR0, CR4, GPR } from '../../x86/registers.ts';

const ROUTINES: readonly (SlowRoutine | undefined)[] = SLOW_OPERATIONS.map(
  (name) => FLOAT_ROUTINES[name] ?? INTEGER_ROUTINES[name],
);

const { OSFXSR, OSXMMEXCPT } = CR4;
const { EM } = CR0;
const TOP = 0x3800;
const ERROR_SUMMARY = 0x80;

/** Run the operation a vector handler left in scratch. SDM Vol. 1, 11.5. */
export function runSlow(p: { readonly memory: EngineMemory }): void {
  const { memory } = p;
  const context: SlowContext = {
    view: memory.view,
    mxcsr: memory.read32(L.MXCSR),
    immediate: memory.read32(SLOW.immediate) & 0xff,
    faults: false,
  };
  const routine = ROUTINES[memory.read32(SLOW.operation)];
  if (routine === undefined) throw new GuestFault(VECTOR.UD);
  routine(context);
  memory.write32(L.MXCSR, context.mxcsr);
  if (context.faults) throw new GuestFault((memory.read32(L.CR4) & OSXMMEXCPT) !== 0 ? VECTOR.XM : VECTOR.UD);
}

/** CR0.EM or CR4.OSFXSR clear is #UD, else CR0.TS is #NM. SDM Vol. 3, Table 13-1. */
const vectorUnavailable: Assist = (p) => {
  const emulates = (p.memory.read32(L.CR0) & EM) !== 0;
  const enabled = (p.memory.read32(L.CR4) & OSFXSR) !== 0;
  throw new GuestFault(emulates || !enabled ? VECTOR.UD : VECTOR.NM);
};

/** CR0.EM is #UD, else CR0.TS is #NM. SDM Vol. 3, Table 12-1. */
const mmxUnavailable: Assist = (p) => {
  throw new GuestFault((p.memory.read32(L.CR0) & EM) !== 0 ? VECTOR.UD : VECTOR.NM);
};

/** Store the bytes whose mask byte has its sign set at DS:rDI. SDM Vol. 2B, MASKMOVDQU. */
function maskedMove(p: Core, d: DecodedInstruction, size: 8 | 16): void {
  const [source, mask] = d.operands.flatMap((o) => (o.kind === 'register' ? [registerSlot(o.register)] : []));
  if (source === undefined || mask === undefined) throw new GuestFault(VECTOR.UD);
  const { u8 } = p.memory;
  const chosen = Array.from({ length: size }, (_, i) => i).filter((i) => (u8[mask + i] as number) >= 0x80);
  const bits = d.addressSize * 8;
  const addresses = chosen.map((i) =>
    p.linear(segmentOf(d), BigInt.asUintN(bits, p.state.gpr(GPR.RDI) + BigInt(i)), 1, true),
  );
  // A fault names the operand's first byte on the page, chosen or not; nothing is stored before both pages are seen.
  const start = (addresses[0] ?? 0n) - BigInt(chosen[0] ?? 0);
  for (const address of [addresses[0], addresses.at(-1)]) {
    if (address !== undefined) p.probeWrite(address >> 12n === start >> 12n ? start : address & ~0xfffn, 1);
  }
  chosen.forEach((i, k) => p.writeBytes(addresses[k] as bigint, u8.slice(source + i, source + i + 1)));
}

const maskMoveMmx: Assist = (p, d) => {
  const { view } = p.memory;
  const status = view.getUint16(L.FSW, true);
  if ((status & ERROR_SUMMARY) !== 0) throw new GuestFault(VECTOR.MF);
  maskedMove(p, d, 8);
  view.setUint16(L.FSW, status & ~TOP, true);
  view.setUint16(L.FTW, 0, true);
  return 'next';
};

const maskMoveXmm: Assist = (p, d) => {
  maskedMove(p, d, 16);
  return 'next';
};

/** Vector instructions that have no handler of their own, and those that are switched off. */
export const VECTOR_ASSISTS: Readonly<Record<string, Assist>> = {
  'vector.unavailable': vectorUnavailable,
  'mmx.unavailable': mmxUnavailable,
  maskmovq: maskMoveMmx,
  maskmovdqu: maskMoveXmm,
};
