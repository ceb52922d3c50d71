import { MXCSR, XMM } from '../state/layout.ts';
import { abridgedTags, expandTags, initialise, writeControl } from './image.ts';
import { type X87Unit, physical } from './unit.ts';

/** MXCSR_MASK: every defined bit, DAZ included (SDM vol. 1 §11.6.6). */
const MXCSR_MASK = 0xffff;

/**
 * Writes the x87 part of an FXSAVE or XSAVE image: bytes 0..23 and 32..159 (SDM vol. 1 tables 10-2 and 10-3). `wide`
 * (REX.W): 64-bit pointers without selectors.
 */
export function putX87Region(unit: X87Unit, image: DataView, wide: boolean): void {
  image.setUint16(0, unit.fcw, true);
  image.setUint16(2, unit.fsw, true);
  image.setUint16(4, abridgedTags(unit), true);
  image.setUint16(6, unit.fop & 0x7ff, true);
  putPointer(image, 8, unit.fip, unit.fcs, wide);
  putPointer(image, 16, unit.fdp, unit.fds, wide);
  for (let i = 0; i < 8; i++) {
    const at = physical(unit, i);
    image.setBigUint64(32 + i * 16, unit.significand(at), true);
    image.setBigUint64(40 + i * 16, BigInt(unit.signExponent(at)), true);
  }
}

function putPointer(image: DataView, at: number, offset: bigint, selector: number, wide: boolean): void {
  image.setBigUint64(at, offset, true);
  if (!wide) image.setUint32(at + 4, selector, true);
}

/** Takes the x87 part of an FXRSTOR or XRSTOR image. */
export function takeX87Region(unit: X87Unit, image: DataView, wide: boolean): void {
  unit.fsw = image.getUint16(2, true);
  unit.ftw = expandTags(image.getUint8(4));
  unit.fop = image.getUint16(6, true) & 0x7ff;
  unit.fip = wide ? image.getBigUint64(8, true) : BigInt(image.getUint32(8, true));
  unit.fcs = wide ? 0 : image.getUint16(12, true);
  unit.fdp = wide ? image.getBigUint64(16, true) : BigInt(image.getUint32(16, true));
  unit.fds = wide ? 0 : image.getUint16(20, true);
  writeControl(unit, image.getUint16(0, true));
  for (let i = 0; i < 8; i++) {
    unit.setRegister(physical(unit, i), image.getUint16(40 + i * 16, true), image.getBigUint64(32 + i * 16, true));
  }
}

/** The initial configuration of the x87 state: reset, and XRSTOR of an absent component (SDM vol. 1 §13.6). */
export function resetX87(unit: X87Unit): void {
  initialise(unit);
  for (let at = 0; at < 8; at++) unit.setRegister(at, 0, 0n);
}

/** Whether the x87 state differs from its initial configuration (XINUSE bit 0). */
export function x87InUse(unit: X87Unit): boolean {
  if (unit.fcw !== 0x37f || unit.fsw !== 0 || unit.ftw !== 0xffff || unit.fop !== 0) return true;
  if (unit.fip !== 0n || unit.fdp !== 0n || unit.fcs !== 0 || unit.fds !== 0) return true;
  for (let at = 0; at < 8; at++) if (unit.signExponent(at) !== 0 || unit.significand(at) !== 0n) return true;
  return false;
}

/** Writes MXCSR and MXCSR_MASK into an image (bytes 24..31). */
export function putMxcsr(memory: DataView, image: DataView): void {
  image.setUint32(24, memory.getUint32(MXCSR, true), true);
  image.setUint32(28, MXCSR_MASK, true);
}

/** Writes the first `count` (8 or 16) XMM registers into an image, from byte 160. */
export function putXmmRegion(memory: DataView, image: DataView, count: number): void {
  for (let at = 0; at < count * 16; at += 8) image.setBigUint64(160 + at, memory.getBigUint64(XMM + at, true), true);
}

/** Takes the first `count` XMM registers from an image. */
export function takeXmmRegion(memory: DataView, image: DataView, count: number): void {
  for (let at = 0; at < count * 16; at += 8) memory.setBigUint64(XMM + at, image.getBigUint64(160 + at, true), true);
}

/** Whether the MXCSR of an image may be loaded; reserved bits make FXRSTOR and XRSTOR raise #GP(0). */
export function isMxcsrValid(image: DataView): boolean {
  return (image.getUint32(24, true) & ~MXCSR_MASK) === 0;
}
