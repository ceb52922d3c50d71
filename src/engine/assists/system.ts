import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { Core } from '../core/core.ts';
import { isCanonical } from './deliver.ts';
import { type Assist, effectiveOffset, operandAddress, readOperand, segmentOf, writeOperand } from './operand.ts';
import { PRIMARY, SECONDARY } from '../../x86/controls.ts';
import { EXIT, EXIT_REASONS, type ExitName, type ExitReason } from '../../x86/exit-reasons.ts';
import { intercepts, leave, primary, privileged, secondary, withheld } from './exits.ts';
import { ACTIVITY, CR4, SEG } from '../../x86/registers.ts';
import { HIGH_MSRS, MSR, MSRS_IN_BITMAP } from '../../x86/msrs.ts';

const invalidatePage: Assist = (p, d) => {
  privileged(p);
  const segment = segmentOf(d);
  const offset = effectiveOffset(p, d);
  const hasBase = !p.state.code64 || segment >= SEG.FS;
  const linear = hasBase ? offset + p.state.base(segment) : offset;
  if (intercepts(p, 'INVLPG')) return leave(p, d, EXIT.INVLPG, BigInt.asUintN(64, linear));
  // The TLB is coherent with the page tables: nothing stale is ever held.
  return 'next';
};

const invalidatePcid: Assist = (p, d) => {
  if (withheld(p, SECONDARY.INVPCID)) throw new GuestFault(VECTOR.UD);
  privileged(p);
  if (intercepts(p, 'INVPCID')) return leave(p, d, EXIT.INVPCID);
  const bytes = p.readBytes(operandAddress(p, d, 16, false), 16);
  const type = readOperand(p, d, 0);
  const view = new DataView(bytes.buffer);
  const first = view.getBigUint64(0, true);
  if (type > 3n || first >> 12n !== 0n) throw new GuestFault(VECTOR.GP, 0);
  if ((p.state.cr4 & CR4.PCIDE) === 0 && type < 2n && first !== 0n) throw new GuestFault(VECTOR.GP, 0);
  if (type === 0n && !isCanonical(view.getBigUint64(8, true))) throw new GuestFault(VECTOR.GP, 0);
  return 'next';
};

/** CPL 0 only, then an exit if its control says so, else nothing. */
const exiting =
  (name: ExitName): Assist =>
  (p, d) => {
    privileged(p);
    return intercepts(p, name) ? leave(p, d, EXIT[name]) : 'next';
  };

const invalidateCaches: Assist = (p, d) => {
  privileged(p);
  return leave(p, d, EXIT.INVD);
};

const halt: Assist = (p, d) => {
  privileged(p);
  if (intercepts(p, 'HLT')) return leave(p, d, EXIT.HLT);
  p.memory.write32(L.ACTIVITY, ACTIVITY.HLT);
  p.clock.stopSoon();
  return 'next';
};

/** Pause-loop exiting. SDM Vol. 3, 26.1.3. */
const spinsTooLong = (p: Core): boolean =>
  p.state.cpl === 0 && secondary(p, SECONDARY.PAUSE_LOOP_EXITING) && p.clock.pauseLoop();

const pause: Assist = (p, d) => {
  if (intercepts(p, 'PAUSE_INSTRUCTION') || spinsTooLong(p)) return leave(p, d, EXIT.PAUSE_INSTRUCTION);
  return 'next';
};

/** An MSR exits unless its bit in the MSR bitmap is clear. SDM Vol. 3, 26.1.3. */
function msrExits(p: Core, index: number, write: boolean): boolean {
  if (!primary(p, PRIMARY.MSR_BITMAPS)) return true;
  const low = index < MSRS_IN_BITMAP;
  const high = index >= HIGH_MSRS && index < HIGH_MSRS + MSRS_IN_BITMAP;
  if (!low && !high) return true;
  const at = (write ? 2048 : 0) + (high ? 1024 : 0) + ((index & (MSRS_IN_BITMAP - 1)) >>> 3);
  return (((p.controls.msrBitmap[at] as number) >>> (index & 7)) & 1) !== 0;
}

const CANONICAL_MSRS: ReadonlySet<number> = new Set([
  ...[MSR.LSTAR, MSR.CSTAR, MSR.FS_BASE, MSR.GS_BASE, MSR.KERNEL_GS_BASE, MSR.SYSENTER_ESP, MSR.SYSENTER_EIP],
]);

const readMsr: Assist = (p, d) => {
  privileged(p);
  const index = p.state.gpr32(1);
  if (msrExits(p, index, false)) return leave(p, d, EXIT.MSR_READ);
  const slot = L.MSR_SLOTS[index];
  if (index !== MSR.TSC && slot === undefined) return leave(p, d, EXIT.MSR_READ);
  const value = slot === undefined ? p.clock.timeStamp() : p.memory.read64(slot);
  if (p.stops.msrs !== undefined && p.stops.noticeMsr(index, false)) p.clock.stopSoon();
  p.state.setGpr32(0, Number(value & 0xffff_ffffn));
  p.state.setGpr32(2, Number(value >> 32n));
  return 'next';
};

const writeMsr: Assist = (p, d) => {
  privileged(p);
  const index = p.state.gpr32(1);
  const slot = L.MSR_SLOTS[index];
  if (slot === undefined || msrExits(p, index, true)) return leave(p, d, EXIT.MSR_WRITE);
  const value = (BigInt(p.state.gpr32(2)) << 32n) | BigInt(p.state.gpr32(0));
  if (CANONICAL_MSRS.has(index) && !isCanonical(value)) throw new GuestFault(VECTOR.GP, 0);
  if (p.stops.msrs !== undefined && p.stops.noticeMsr(index, true)) p.clock.stopSoon();
  p.memory.write64(slot, index === MSR.SYSENTER_CS ? value & 0xffff_ffffn : value);
  // Outside 64-bit code, FS and GS with a base are not flat any more.
  if (p.state.code64 || (index !== MSR.FS_BASE && index !== MSR.GS_BASE)) return 'next';
  p.modeChanged();
  return 'serialize';
};

/** RDTSC and RDTSCP when they exit or must check CR4.TSD. */
const readTimeStamp =
  (withAux: boolean): Assist =>
  (p, d) => {
    if (withAux && withheld(p, SECONDARY.RDTSCP)) throw new GuestFault(VECTOR.UD);
    if ((p.state.cr4 & CR4.TSD) !== 0 && p.state.cpl > 0) throw new GuestFault(VECTOR.GP, 0);
    if (intercepts(p, 'RDTSC')) return leave(p, d, withAux ? EXIT.RDTSCP : EXIT.RDTSC);
    const now = p.clock.timeStamp();
    p.state.setGpr32(0, Number(now & 0xffff_ffffn));
    p.state.setGpr32(2, Number(now >> 32n));
    if (withAux) p.state.setGpr32(1, p.memory.read32(L.TSC_AUX));
    return 'next';
  };

/** RDRAND and RDSEED take from the recorded stream; CF says there was one. */
const random =
  (name: ExitName): Assist =>
  (p, d) => {
    if (intercepts(p, name)) return leave(p, d, EXIT[name]);
    writeOperand(p, d, 0, p.seed());
    p.state.setStatus(1);
    return 'next';
  };

const readPid: Assist = (p, d) => {
  if (withheld(p, SECONDARY.RDTSCP)) throw new GuestFault(VECTOR.UD);
  writeOperand(p, d, 0, BigInt(p.memory.read32(L.TSC_AUX)));
  return 'next';
};

const readExtended: Assist = (p) => {
  if ((p.state.cr4 & CR4.OSXSAVE) === 0) throw new GuestFault(VECTOR.UD);
  if (p.state.gpr32(1) !== 0) throw new GuestFault(VECTOR.GP, 0);
  const value = p.memory.read64(L.XCR0);
  p.state.setGpr32(0, Number(value & 0xffff_ffffn));
  p.state.setGpr32(2, Number(value >> 32n));
  return 'next';
};

const writeExtended: Assist = (p, d) => {
  if ((p.state.cr4 & CR4.OSXSAVE) === 0) throw new GuestFault(VECTOR.UD);
  privileged(p);
  return leave(p, d, EXIT.XSETBV);
};

const undefinedInstruction: Assist = () => {
  throw new GuestFault(VECTOR.UD);
};

/** An instruction of which the processor has nothing but its exit: see `instructions` in x86/exit-reasons.ts. */
const nothingButExit =
  (name: ExitName, always: boolean): Assist =>
  (p, d) =>
    always || intercepts(p, name) ? leave(p, d, EXIT[name]) : undefinedInstruction(p, d);

const NOTHING_BUT_EXITS: Readonly<Record<string, Assist>> = Object.fromEntries(
  Object.entries<ExitReason>(EXIT_REASONS).flatMap(([name, { instructions = [], controls }]) =>
    instructions.map((each) => [each, nothingButExit(name as ExitName, controls === undefined)]),
  ),
);

export const SYSTEM_ASSISTS: Readonly<Record<string, Assist>> = {
  invlpg: invalidatePage,
  invpcid: invalidatePcid,
  wbinvd: exiting('WBINVD'),
  wbnoinvd: exiting('WBINVD'),
  invd: invalidateCaches,
  hlt: halt,
  cpuid: (p, d) => leave(p, d, EXIT.CPUID),
  rdmsr: readMsr,
  wrmsr: writeMsr,
  rdtsc: readTimeStamp(false),
  rdtscp: readTimeStamp(true),
  rdpmc: (p, d) => {
    if (p.state.cpl > 0 && (p.state.cr4 & CR4.PCE) === 0) throw new GuestFault(VECTOR.GP, 0);
    if (intercepts(p, 'RDPMC')) return leave(p, d, EXIT.RDPMC);
    throw new GuestFault(VECTOR.GP, 0);
  },
  rdrand: random('RDRAND'),
  rdseed: random('RDSEED'),
  rdpid: readPid,
  xgetbv: readExtended,
  xsetbv: writeExtended,
  pause,
  monitor: exiting('MONITOR_INSTRUCTION'),
  mwait: exiting('MWAIT_INSTRUCTION'),
  vmcall: (p, d) => leave(p, d, EXIT.VMCALL),
  vmmcall: undefinedInstruction,
  rsm: undefinedInstruction,
  ud0: undefinedInstruction,
  ud1: undefinedInstruction,
  ud2: undefinedInstruction,
  ...NOTHING_BUT_EXITS,
};
