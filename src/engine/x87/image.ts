import { NORMAL, ZERO } from '../float/unpacked.ts';
import { unpackExtended } from '../float/formats.ts';
import { type X87Unit, updateSummary } from './unit.ts';

/** The control word as the processor keeps it: bit 6 is 1, bits 7 and 15:13 are 0 (SDM vol. 1 §8.1.5). */
export function writeControl(unit: X87Unit, value: number): void {
  unit.fcw = (value & 0x1f3f) | 0x40;
  updateSummary(unit);
}

/** FNINIT's state (SDM vol. 2, FINIT). */
export function initialise(unit: X87Unit): void {
  unit.fcw = 0x37f;
  unit.fsw = 0;
  unit.ftw = 0xffff;
  unit.fop = 0;
  unit.fip = 0n;
  unit.fdp = 0n;
  unit.fcs = 0;
  unit.fds = 0;
}

/** The tag of one physical register by its contents: valid 0, zero 1, special 2, empty 3. */
function tagOf(unit: X87Unit, at: number): number {
  if (((unit.ftw >> (at * 2)) & 3) === 3) return 3;
  const { kind } = unpackExtended(unit.signExponent(at), unit.significand(at));
  if (kind === ZERO) return 1;
  return kind === NORMAL ? 0 : 2;
}

/** The full tag word as FNSTENV and FNSAVE show it (SDM vol. 1 §8.1.7). */
export function fullTags(unit: X87Unit): number {
  let tags = 0;
  for (let at = 0; at < 8; at++) tags |= tagOf(unit, at) << (at * 2);
  return tags;
}

/** The abridged tag byte of FXSAVE: a 1 for every register that is not empty (SDM vol. 1 §10.5.1.1). */
export function abridgedTags(unit: X87Unit): number {
  let tags = 0;
  for (let at = 0; at < 8; at++) if (((unit.ftw >> (at * 2)) & 3) !== 3) tags |= 1 << at;
  return tags;
}

/** Full tags from the abridged byte: only empty or not. */
export function expandTags(abridged: number): number {
  let tags = 0;
  for (let at = 0; at < 8; at++) if (((abridged >> at) & 1) === 0) tags |= 3 << (at * 2);
  return tags;
}

/** Size of the environment: 14 or 28 bytes. */
export function environmentSize(unit: X87Unit): number {
  return unit.operand16 ? 14 : 28;
}

/** Writes the environment into the buffer in the format of mode and operand size (SDM vol. 1 figures 8-9 to 8-12). */
export function putEnvironment(unit: X87Unit): void {
  const { buffer } = unit;
  const step = unit.operand16 ? 2 : 4;
  const ip = Number(BigInt.asUintN(32, unit.fip));
  const dp = Number(BigInt.asUintN(32, unit.fdp));
  const words = unit.realFormat
    ? realPointers(unit, ip, dp)
    : [ip, unit.fcs | ((unit.fop & 0x7ff) << 16), dp, unit.fds | 0xffff_0000];
  [unit.fcw | 0xffff_0000, unit.fsw | 0xffff_0000, fullTags(unit) | 0xffff_0000, ...words].forEach((word, index) => {
    if (step === 2) buffer.setUint16(index * 2, word & 0xffff, true);
    else buffer.setUint32(index * 4, word >>> 0, true);
  });
}

/** FIP, FOP, FDP in real-address format: linear addresses of 20 or 32 bits. */
function realPointers(unit: X87Unit, ip: number, dp: number): number[] {
  const code = (unit.fcs * 16 + ip) >>> 0;
  const data = (unit.fds * 16 + dp) >>> 0;
  const fop = unit.fop & 0x7ff;
  if (unit.operand16) {
    return [code & 0xffff, ((code >>> 4) & 0xf000) | fop, data & 0xffff, (data >>> 4) & 0xf000];
  }
  return [
    (code & 0xffff) | 0xffff_0000,
    ((code >>> 4) & 0x0fff_f000) | fop,
    (data & 0xffff) | 0xffff_0000,
    (data >>> 4) & 0x0fff_f000,
  ];
}

/** Takes the environment from the buffer. */
export function takeEnvironment(unit: X87Unit): void {
  const { buffer } = unit;
  const step = unit.operand16 ? 2 : 4;
  const word = (index: number): number => buffer.getUint16(index * step, true);
  const wide = (index: number): number => (step === 2 ? word(index) : buffer.getUint32(index * 4, true));
  unit.fsw = word(1);
  unit.ftw = expandTags(notEmpty(word(2)));
  if (unit.realFormat) {
    const high = unit.operand16 ? 0xf000 : 0x0fff_f000;
    unit.fip = BigInt((word(3) + ((wide(4) & high) << 4)) >>> 0);
    unit.fop = wide(4) & 0x7ff;
    unit.fdp = BigInt((word(5) + ((wide(6) & high) << 4)) >>> 0);
    unit.fcs = 0;
    unit.fds = 0;
  } else {
    unit.fip = BigInt(wide(3));
    unit.fcs = word(4);
    unit.fop = unit.operand16 ? unit.fop : (wide(4) >>> 16) & 0x7ff;
    unit.fdp = BigInt(wide(5));
    unit.fds = word(6);
  }
  writeControl(unit, word(0));
}

function notEmpty(tags: number): number {
  let abridged = 0;
  for (let at = 0; at < 8; at++) if (((tags >> (at * 2)) & 3) !== 3) abridged |= 1 << at;
  return abridged;
}

/** Writes ST(0)..ST(7) after the environment, 10 bytes each. */
export function putStack(unit: X87Unit, from: number): void {
  for (let i = 0; i < 8; i++) {
    const at = ((unit.fsw >> 11) + i) & 7;
    unit.buffer.setBigUint64(from + i * 10, unit.significand(at), true);
    unit.buffer.setUint16(from + i * 10 + 8, unit.signExponent(at), true);
  }
}

/** Takes ST(0)..ST(7) from behind the environment. */
export function takeStack(unit: X87Unit, from: number): void {
  for (let i = 0; i < 8; i++) {
    const at = ((unit.fsw >> 11) + i) & 7;
    const significand = unit.buffer.getBigUint64(from + i * 10, true);
    unit.setRegister(at, unit.buffer.getUint16(from + i * 10 + 8, true), significand);
  }
}
