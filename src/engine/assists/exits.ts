import type { DecodedInstruction } from '../code/instruction.ts';
import { GuestFault, instructionExit, VECTOR } from '../core/fault.ts';
import type { Boundary, Core, RegisterFile } from '../core/core.ts';
import type { Outcome } from './operand.ts';

/** Basic exit reasons these instructions can cause. SDM Vol. 3 Appendix C. */
export const EXIT = {
  cpuid: 10,
  hlt: 12,
  invd: 13,
  invlpg: 14,
  rdpmc: 15,
  rdtsc: 16,
  vmcall: 18,
  cr: 28,
  dr: 29,
  rdmsr: 31,
  wrmsr: 32,
  mwait: 36,
  monitor: 39,
  pause: 40,
  tprThreshold: 43,
  rdtscp: 51,
  wbinvd: 54,
  xsetbv: 55,
  rdrand: 57,
  invpcid: 58,
  rdseed: 61,
} as const;

/** Bits of the primary processor-based controls. SDM Vol. 3, Table 25-6. */
export const PRIMARY = {
  hlt: 7,
  invlpg: 9,
  mwait: 10,
  rdpmc: 11,
  cr3Load: 15,
  cr3Store: 16,
  cr8Load: 19,
  cr8Store: 20,
  tpr: 21,
  dr: 23,
  msrBitmaps: 28,
  pause: 30,
} as const;
/** Bits of the secondary controls. SDM Vol. 3, Table 25-7. */
export const SECONDARY = {
  pauseLoop: 10,
  wbinvd: 6,
  rdrand: 11,
  invpcid: 12,
  rdseed: 16,
  rdtscp: 3,
  xsaves: 20,
} as const;

/** The instruction at hand exits: what its routine returns. Nothing is thrown, as throwing is what costs most. */
export function leave(p: Boundary, d: DecodedInstruction, reason: number, qualification = 0n): Outcome {
  return p.exitWith(instructionExit(reason, qualification, d.length));
}

type Controlled = Pick<Core, 'controls'>;

/** Whether a primary control is set. */
export const primary = (p: Controlled, bit: number): boolean => ((p.controls.primary >>> bit) & 1) !== 0;
/** Whether a secondary control is on. */
export const secondary = (p: Controlled, bit: number): boolean =>
  p.controls.primary >>> 31 === 1 && ((p.controls.secondary >>> bit) & 1) !== 0;

/** A VMX guest does not have this instruction: its "enable" control is off. SDM Vol. 3, 26.3. */
export const withheld = (p: Controlled, bit: number): boolean =>
  p.controls.primary >>> 31 === 1 && ((p.controls.secondary >>> bit) & 1) === 0;

/** #GP(0) above CPL 0. */
export function privileged(p: RegisterFile): void {
  if (p.state.cpl !== 0) throw new GuestFault(VECTOR.GP, 0);
}
