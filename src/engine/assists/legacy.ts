import { GuestFault, VECTOR } from '../core/fault.ts';
import * as L from '../state/layout.ts';
import type { RegisterFile } from '../core/core.ts';
import { type Assist, operandAddress, peekStack, popBytes, push, readOperand, writeOperand } from './operand.ts';
import { GPR, RFLAGS } from '../../x86/registers.ts';

/** Status flags of an 8-bit result: SF ZF PF. */
function resultFlags(p: RegisterFile, value: number): number {
  const byte = value & 0xff;
  return (byte & 0x80) | (byte === 0 ? 0x40 : 0) | ((p.memory.u8[L.PARITY + byte] as number) << 2);
}

const al = (p: RegisterFile): number => p.memory.u8[L.GPR] as number;
const ah = (p: RegisterFile): number => p.memory.u8[L.GPR + 1] as number;
const setAl = (p: RegisterFile, value: number): void => {
  p.memory.u8[L.GPR] = value;
};
const setAh = (p: RegisterFile, value: number): void => {
  p.memory.u8[L.GPR + 1] = value;
};

/** DAA and DAS. SDM Vol. 2A. */
const decimalAdjust =
  (sign: 1 | -1): Assist =>
  (p) => {
    const flags = p.state.rflags;
    const old = al(p);
    const oldCarry = (flags & 1) !== 0;
    let value = old;
    let carry = false;
    let half = false;
    if ((old & 15) > 9 || (flags & 16) !== 0) {
      const sum = value + sign * 6;
      carry = oldCarry || sum > 0xff || sum < 0;
      value = sum & 0xff;
      half = true;
    }
    if (old > 0x99 || oldCarry) {
      value = (value + sign * 0x60) & 0xff;
      carry = true;
    } else if (sign === 1) carry = false;
    setAl(p, value);
    p.state.setStatus(resultFlags(p, value) | (carry ? 1 : 0) | (half ? 16 : 0));
    return 'next';
  };

/** AAA and AAS. */
const asciiAdjust =
  (sign: 1 | -1): Assist =>
  (p) => {
    const flags = p.state.rflags;
    const adjust = (al(p) & 15) > 9 || (flags & 16) !== 0;
    if (adjust) {
      const ax = (al(p) | (ah(p) << 8)) + (sign === 1 ? 0x106 : -6);
      setAl(p, ax & 0xff);
      setAh(p, sign === 1 ? (ax >>> 8) & 0xff : ((ax >> 8) - 1) & 0xff);
    }
    setAl(p, al(p) & 15);
    p.state.setStatus(resultFlags(p, al(p)) | (adjust ? 17 : 0));
    return 'next';
  };

const asciiMultiply: Assist = (p, d) => {
  const by = Number(readOperand(p, d, 0) & 0xffn);
  if (by === 0) throw new GuestFault(VECTOR.DE);
  const value = al(p);
  setAh(p, Math.floor(value / by));
  setAl(p, value % by);
  p.state.setStatus(resultFlags(p, al(p)));
  return 'next';
};

const asciiDivide: Assist = (p, d) => {
  const by = Number(readOperand(p, d, 0) & 0xffn);
  const value = (al(p) + ah(p) * by) & 0xff;
  setAl(p, value);
  setAh(p, 0);
  p.state.setStatus(resultFlags(p, value));
  return 'next';
};

const translateByte: Assist = (p, d) => {
  setAl(p, p.read(operandAddress(p, d, 1, false), 1));
  return 'next';
};

const setAlOnCarry: Assist = (p) => {
  setAl(p, (p.state.rflags & 1) !== 0 ? 0xff : 0);
  return 'next';
};

/** CMPXCHG8B and CMPXCHG16B; the memory operand is always written. */
const compareExchangeWide =
  (size: 8 | 16): Assist =>
  (p, d) => {
    const linear = operandAddress(p, d, size, true);
    if (size === 16 && (linear & 15n) !== 0n) throw new GuestFault(VECTOR.GP, 0);
    p.probeWrite(linear, size);
    const half = size / 2;
    const bits = BigInt(half * 8);
    const mask = (1n << bits) - 1n;
    const bytes = p.readBytes(linear, size);
    const view = new DataView(bytes.buffer);
    const word = (at: number): bigint => (half === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true)));
    const [low, high] = [word(0), word(half)];
    const equal = low === (p.state.gpr(GPR.RAX) & mask) && high === (p.state.gpr(GPR.RDX) & mask);
    const next = equal ? [p.state.gpr(GPR.RBX) & mask, p.state.gpr(GPR.RCX) & mask] : [low, high];
    next.forEach((value, i) => {
      if (half === 8) view.setBigUint64(8 * i, value, true);
      else view.setUint32(4 * i, Number(value), true);
    });
    p.writeBytes(linear, bytes);
    if (!equal) {
      p.state.setGpr(GPR.RAX, low);
      p.state.setGpr(GPR.RDX, high);
    }
    p.state.setStatus(equal ? RFLAGS.ZF : 0, RFLAGS.ZF);
    return 'next';
  };

const bound: Assist = (p, d) => {
  const size = d.operandSize as 2 | 4;
  const bits = size * 8;
  const linear = operandAddress(p, d, 2 * size, false);
  const index = BigInt.asIntN(bits, readOperand(p, d, 0));
  const low = BigInt.asIntN(bits, p.readValue(linear, size));
  const high = BigInt.asIntN(bits, p.readValue(linear + BigInt(size), size));
  if (index < low || index > high) throw new GuestFault(VECTOR.BR);
  return 'next';
};

/** PUSHA and PUSHAD: eax ecx edx ebx, the old esp, ebp esi edi. */
const pushAll: Assist = (p, d) => {
  const old = p.state.gpr(GPR.RSP);
  try {
    for (let i = 0; i < 8; i++) push(p, i === 4 ? old : p.state.gpr(i), d.operandSize);
  } catch (thrown) {
    p.state.setGpr(GPR.RSP, old);
    throw thrown;
  }
  return 'next';
};

/** POPA and POPAD: the saved esp is skipped. */
const popAll: Assist = (p, d) => {
  const size = d.operandSize;
  const values = Array.from({ length: 8 }, (_, i) => peekStack(p, size, i * size));
  popBytes(p, 8 * size);
  values.forEach((value, i) => {
    const index = 7 - i;
    if (index === 4) return;
    const old = p.state.gpr(index);
    p.state.setGpr(index, size === 2 ? (old & ~0xffffn) | value : value);
  });
  return 'next';
};

/** MOV between the accumulator and a 64-bit absolute address: a record holds 32 bits of displacement. */
const moveAbsolute: Assist = (p, d) => {
  writeOperand(p, d, 0, readOperand(p, d, 1));
  return 'next';
};

export const LEGACY_ASSISTS: Readonly<Record<string, Assist>> = {
  'mov.moffs': moveAbsolute,
  daa: decimalAdjust(1),
  das: decimalAdjust(-1),
  aaa: asciiAdjust(1),
  aas: asciiAdjust(-1),
  aam: asciiMultiply,
  aad: asciiDivide,
  xlatb: translateByte,
  salc: setAlOnCarry,
  cmpxchg8b: compareExchangeWide(8),
  cmpxchg16b: compareExchangeWide(16),
  bound,
  pusha: pushAll,
  pushad: pushAll,
  popa: popAll,
  popad: popAll,
};
