import type { X87Unit } from './unit.ts';

/** What every MMX instruction but EMMS does first: TOP = 0, all registers valid (SDM vol. 1 §9.5.1). */
export function enterMmx(unit: X87Unit): void {
  unit.fsw &= ~0x3800;
  unit.ftw = 0;
}

/** EMMS: all registers empty. */
export function emms(unit: X87Unit): void {
  unit.ftw = 0xffff;
}

/** MM(i): the significand of physical register i. */
export function readMmx(unit: X87Unit, i: number): bigint {
  return unit.significand(i);
}

/** Writes MM(i); sign and exponent become all ones. */
export function writeMmx(unit: X87Unit, i: number, value: bigint): void {
  unit.setRegister(i, 0xffff, value);
}
