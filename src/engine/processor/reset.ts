import { plainUnit } from '../assists/fpu.ts';
import * as L from '../state/layout.ts';
import type { RegisterFile } from '../core/core.ts';
import { initialise } from '../x87/image.ts';
import { resetX87 } from '../x87/fxsave.ts';
import {
  CR0_AT_RESET,
  CR0_CD,
  CR0_ET,
  CR0_NW,
  DATA_SEGMENTS,
  DR6_ONES,
  DR7_ONE,
  GPR,
  RFLAGS,
  SEG,
  XCR0,
} from '../../x86/registers.ts';
import { MSR, PAT_AT_RESET } from '../../x86/msrs.ts';

const DATA_ACCESS = 0x93;
const CODE_ACCESS = 0x9b;

/** Put the selected block in the state after RESET or INIT. SDM Vol. 3, Table 10-1. */
export function resetBlock(p: RegisterFile, kind: 'reset' | 'init'): void {
  const { memory, state } = p;
  const kept = kind === 'init' ? keepOverInit(p) : undefined;
  memory.u8.fill(0, L.BLOCK, L.BLOCK + L.BLOCK_SIZE);
  state.rflags = RFLAGS.FIXED;
  state.rip = 0xfff0n;
  for (const segment of [SEG.SS, ...DATA_SEGMENTS]) state.setSegment(segment, 0, 0n, 0xffff, DATA_ACCESS);
  state.setSegment(SEG.CS, 0xf000, 0xffff0000n, 0xffff, CODE_ACCESS);
  state.setSegment(SEG.LDTR, 0, 0n, 0xffff, 0x82);
  state.setSegment(SEG.TR, 0, 0n, 0xffff, 0x8b);
  memory.write32(L.GDTR_LIMIT, 0xffff);
  memory.write32(L.IDTR_LIMIT, 0xffff);
  memory.write64(L.CR0, CR0_AT_RESET);
  memory.write64(L.DR6, DR6_ONES);
  memory.write64(L.DR7, DR7_ONE);
  state.setGpr(GPR.RDX, 0x600n);
  if (kept !== undefined) {
    kept();
    return;
  }
  memory.write64(L.XCR0, BigInt(XCR0.X87));
  memory.write64(L.MSR_SLOTS[MSR.PAT] as number, PAT_AT_RESET);
  memory.write32(L.MXCSR, 0x1f80);
  resetX87(plainUnit(p));
  const unit = plainUnit(p);
  initialise(unit);
  memory.view.setUint16(L.FCW, 0x40, true);
  memory.view.setUint16(L.FTW, 0x5555, true);
}

/** INIT leaves the x87, SSE and MSR state and CR0's cache bits alone. Returns how to put them back. */
function keepOverInit(p: RegisterFile): () => void {
  const { memory } = p;
  const msrs = memory.u8.slice(L.MSRS, L.MSRS + 0x80);
  const floats = memory.u8.slice(L.X87_REGISTERS, L.BLOCK + L.BLOCK_SIZE);
  const xcr0 = memory.read64(L.XCR0);
  const cacheBits = memory.read64(L.CR0) & (CR0_CD | CR0_NW);
  return () => {
    memory.u8.set(msrs, L.MSRS);
    memory.u8.set(floats, L.X87_REGISTERS);
    memory.write64(L.XCR0, xcr0);
    memory.write64(L.CR0, CR0_ET | cacheBits);
  };
}
