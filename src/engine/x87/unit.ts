import { type FloatEnvironment, IE, PE, PRE_COMPUTATION } from '../float/environment.ts';
import { extendedSignExponent, extendedSignificand, unpackExtended } from '../float/formats.ts';
import { INDEFINITE, type Unpacked } from '../float/unpacked.ts';

/** What executeX87 tells its caller: retired, #UD, or #MF. */
export const X87_DONE = 0;
export const X87_UNDEFINED = 1;
export const X87_ERROR = 2;

/** Bits of the status word beside the six exceptions (SDM vol. 1 §8.1.3). */
const SF = 0x40;
export const ES = 0x80;
export const C0 = 0x100;
export const C1 = 0x200;
export const C2 = 0x400;
export const C3 = 0x4000;
const BUSY = 0x8000;

/** The x87 state (SDM vol. 1 §8.1) and what an instruction needs of the processor around it. */
export interface X87Unit {
  fcw: number;
  /** TOP is bits 13:11. */
  fsw: number;
  /** Two bits per physical register; only 11 (empty) is told apart from the rest. */
  ftw: number;
  fop: number;
  fip: bigint;
  fdp: bigint;
  fcs: number;
  fds: number;
  /** Sign and exponent of a physical register. */
  signExponent(physical: number): number;
  /** Significand of a physical register. */
  significand(physical: number): bigint;
  setRegister(physical: number, signExponent: number, significand: bigint): void;

  /** At least 128 bytes through which memory operands pass, little-endian. */
  readonly buffer: DataView;
  /** Memory operand to buffer; leaves by an exception of the engine if the guest faults. */
  load(size: number): void;
  /** Buffer to memory operand, all or nothing; leaves by an exception of the engine if the guest faults. */
  store(size: number): void;
  /** RFLAGS, for FCMOVcc. */
  flags(): number;
  /** FCOMI's result: ZF PF CF as given; OF SF AF cleared. */
  setFlags(zpc: number): void;
  setAx(value: number): void;

  /** What FNSTENV and its like store: 16-bit operand size, real-address or virtual-8086 mode. */
  readonly operand16: boolean;
  readonly realFormat: boolean;
  /** Where the instruction and its memory operand are, for FIP, FCS, FDP, FDS. */
  readonly instructionPointer: bigint;
  readonly codeSelector: number;
  readonly dataPointer: bigint;
  readonly dataSelector: number;
}

/** The physical register that ST(i) names now. */
export function physical(unit: X87Unit, i: number): number {
  return ((unit.fsw >> 11) + i) & 7;
}

/** Whether ST(i) is empty. */
export function isEmpty(unit: X87Unit, i: number): boolean {
  return ((unit.ftw >> (physical(unit, i) * 2)) & 3) === 3;
}

/** Marks ST(i) valid. */
export function markValid(unit: X87Unit, i: number): void {
  unit.ftw &= ~(3 << (physical(unit, i) * 2));
}

/** Marks ST(i) empty. */
export function markEmpty(unit: X87Unit, i: number): void {
  unit.ftw |= 3 << (physical(unit, i) * 2);
}

/** Moves TOP by +1 or -1. */
export function moveTop(unit: X87Unit, by: number): void {
  unit.fsw = (unit.fsw & ~0x3800) | ((unit.fsw + (by << 11)) & 0x3800);
}

/** ST(i) taken apart. */
export function readSt(unit: X87Unit, i: number): Unpacked {
  const at = physical(unit, i);
  return unpackExtended(unit.signExponent(at), unit.significand(at));
}

/** Puts a result rounded to extended range into ST(i), which becomes valid. */
export function writeSt(unit: X87Unit, i: number, value: Unpacked): void {
  unit.setRegister(physical(unit, i), extendedSignExponent(value), extendedSignificand(value));
  markValid(unit, i);
}

/** Pops the register stack. */
export function pop(unit: X87Unit): void {
  markEmpty(unit, 0);
  moveTop(unit, 1);
}

/** Pushes a value; the caller has looked at ST(7). */
export function push(unit: X87Unit, value: Unpacked): void {
  moveTop(unit, -1);
  writeSt(unit, 0, value);
}

/** Sets ES and B from the flags and masks (SDM vol. 1 §8.1.3.3). */
export function updateSummary(unit: X87Unit): void {
  unit.fsw &= ~(ES | BUSY);
  if ((unit.fsw & ~unit.fcw & 0x3f) !== 0) unit.fsw |= ES | BUSY;
}

function raise(unit: X87Unit, flags: number): void {
  unit.fsw |= flags;
  updateSummary(unit);
}

/** Sets C1. */
export function setC1(unit: X87Unit, on: boolean): void {
  unit.fsw = on ? unit.fsw | C1 : unit.fsw & ~C1;
}

/** Records a stack fault (SDM vol. 1 §8.5.1.1); true when its masked response is wanted. */
export function stackFault(unit: X87Unit, overflow: boolean): boolean {
  setC1(unit, overflow);
  raise(unit, IE | SF);
  return (unit.fcw & IE) !== 0;
}

/** Records what the arithmetic raised; true when the result may be delivered to a register. */
export function settle(unit: X87Unit, env: FloatEnvironment): boolean {
  const stops = (env.raised & ~unit.fcw & PRE_COMPUTATION) !== 0;
  const flags = stops ? env.raised & PRE_COMPUTATION : env.raised;
  setC1(unit, (flags & PE) !== 0 && env.roundedUp);
  raise(unit, flags);
  return !stops;
}

/** Sets C3, C2, C0. */
export function setConditions(unit: X87Unit, codes: number): void {
  unit.fsw = (unit.fsw & ~(C0 | C2 | C3)) | codes;
}

/** ST(i) becomes the indefinite, the masked response to an invalid operation. */
export function writeIndefinite(unit: X87Unit, i: number): void {
  writeSt(unit, i, INDEFINITE);
}
