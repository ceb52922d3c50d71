import { packBcd, unpackBcd } from '../float/bcd.ts';
import { convert, toInteger } from '../float/convert.ts';
import {
  DOUBLE,
  type FloatEnvironment,
  IE,
  OE,
  PE,
  ROUND_ZERO,
  SINGLE,
  UE,
  x87Environment,
} from '../float/environment.ts';
import { packDouble, packSingle, unpackDouble, unpackInteger, unpackSingle } from '../float/formats.ts';
import { INDEFINITE, type Unpacked } from '../float/unpacked.ts';
import {
  type X87Unit,
  isEmpty,
  markValid,
  moveTop,
  physical,
  pop,
  push,
  readSt,
  setC1,
  settle,
  stackFault,
} from './unit.ts';

/** Pushes the indefinite if the stack is full and IE masked; true when there is room. */
function roomToPush(unit: X87Unit): boolean {
  if (isEmpty(unit, 7)) return true;
  if (stackFault(unit, true)) push(unit, INDEFINITE);
  return false;
}

/** FLD m32 or m64. An unmasked DE does not keep the number from being pushed. */
export function loadReal(unit: X87Unit, size: 4 | 8): void {
  unit.load(size);
  const source =
    size === 4
      ? unpackSingle(unit.buffer.getUint32(0, true), false)
      : unpackDouble(unit.buffer.getBigUint64(0, true), false);
  if (!roomToPush(unit)) return;
  const env = x87Environment(unit.fcw | 0x300);
  const value = convert(env, source, true);
  settle(unit, env);
  if ((env.raised & ~unit.fcw & IE) === 0) push(unit, value);
}

/** FLD m80: the bits as they are. */
export function loadExtended(unit: X87Unit): void {
  unit.load(10);
  const significand = unit.buffer.getBigUint64(0, true);
  const signExponent = unit.buffer.getUint16(8, true);
  pushBits(unit, signExponent, significand);
}

/** FLD ST(i): the bits as they are. */
export function loadRegister(unit: X87Unit, i: number): void {
  if (isEmpty(unit, i)) {
    if (stackFault(unit, false)) push(unit, INDEFINITE);
    return;
  }
  const at = physical(unit, i);
  pushBits(unit, unit.signExponent(at), unit.significand(at));
}

function pushBits(unit: X87Unit, signExponent: number, significand: bigint): void {
  if (!roomToPush(unit)) return;
  setC1(unit, false);
  moveTop(unit, -1);
  unit.setRegister(physical(unit, 0), signExponent, significand);
  markValid(unit, 0);
}

/** FILD of 2, 4 or 8 bytes, FBLD of 10. */
export function loadInteger(unit: X87Unit, size: 2 | 4 | 8 | 10): void {
  unit.load(size);
  const { buffer } = unit;
  const value =
    size === 10
      ? unpackBcd(buffer)
      : unpackInteger(
          size === 8
            ? buffer.getBigInt64(0, true)
            : BigInt(size === 4 ? buffer.getInt32(0, true) : buffer.getInt16(0, true)),
        );
  pushValue(unit, value);
}

/** Pushes a value that needs no rounding. */
export function pushValue(unit: X87Unit, value: Unpacked): void {
  if (!roomToPush(unit)) return;
  setC1(unit, false);
  push(unit, value);
}

/** FST(P) m32 or m64. */
export function storeReal(unit: X87Unit, size: 4 | 8, pops: boolean): void {
  const env = x87Environment(unit.fcw);
  env.format = size === 4 ? SINGLE : DOUBLE;
  const empty = isEmpty(unit, 0);
  const value = empty ? INDEFINITE : convert(env, readSt(unit, 0), false);
  if (size === 4) unit.buffer.setUint32(0, packSingle(value), true);
  else unit.buffer.setBigUint64(0, packDouble(value), true);
  deliver(unit, env, empty, size, pops);
}

/** FIST(P) and FISTTP (`truncate`) of 2, 4 or 8 bytes. */
export function storeInteger(unit: X87Unit, size: 2 | 4 | 8, pops: boolean, truncate: boolean): void {
  const env = x87Environment(unit.fcw);
  const empty = isEmpty(unit, 0);
  const value = empty
    ? -(1n << BigInt(size * 8 - 1))
    : toInteger(env, readSt(unit, 0), size * 8, truncate ? ROUND_ZERO : env.rounding);
  unit.buffer.setBigInt64(0, value, true);
  deliver(unit, env, empty, size, pops);
}

/** FBSTP. */
export function storeBcd(unit: X87Unit): void {
  const env = x87Environment(unit.fcw);
  const empty = isEmpty(unit, 0);
  packBcd(env, empty ? INDEFINITE : readSt(unit, 0), unit.buffer);
  deliver(unit, env, empty, 10, true);
}

/** The end of a store to memory: an unmasked IE, OE or UE keeps both memory and stack as they were. */
function deliver(unit: X87Unit, env: FloatEnvironment, empty: boolean, size: number, pops: boolean): void {
  const raised = empty ? IE : env.raised;
  const stops = (raised & ~unit.fcw & (IE | OE | UE)) !== 0;
  if (stops) env.raised &= ~PE;
  else unit.store(size);
  if (empty) stackFault(unit, false);
  else settle(unit, env);
  if (!stops && pops) pop(unit);
}

/** FSTP m80: the bits as they are. */
export function storeExtended(unit: X87Unit): void {
  const empty = isEmpty(unit, 0);
  if (empty && (unit.fcw & IE) === 0) {
    stackFault(unit, false);
    return;
  }
  const at = physical(unit, 0);
  unit.buffer.setBigUint64(0, empty ? INDEFINITE.significand : unit.significand(at), true);
  unit.buffer.setUint16(8, empty ? 0xffff : unit.signExponent(at), true);
  unit.store(10);
  if (empty) stackFault(unit, false);
  else setC1(unit, false);
  pop(unit);
}

/** FST(P) ST(i): the bits as they are. */
export function storeRegister(unit: X87Unit, i: number, pops: boolean): void {
  const from = physical(unit, 0);
  if (!isEmpty(unit, 0)) {
    setC1(unit, false);
    unit.setRegister(physical(unit, i), unit.signExponent(from), unit.significand(from));
  } else if (stackFault(unit, false)) {
    unit.setRegister(physical(unit, i), 0xffff, INDEFINITE.significand);
  } else {
    return;
  }
  markValid(unit, i);
  if (pops) pop(unit);
}

/** FSTPNCE, the alias D9 D8+i of FSTP: an empty ST(0) is popped without an exception and nothing is copied. */
export function storeQuietly(unit: X87Unit, i: number): void {
  if (!isEmpty(unit, 0)) {
    storeRegister(unit, i, true);
    return;
  }
  setC1(unit, false);
  pop(unit);
}

/** FXCH ST(i). */
export function exchange(unit: X87Unit, i: number): void {
  const a = physical(unit, 0);
  const b = physical(unit, i);
  setC1(unit, false);
  if (isEmpty(unit, 0) || isEmpty(unit, i)) {
    if (!stackFault(unit, false)) return;
    for (const at of [0, i]) {
      if (isEmpty(unit, at)) unit.setRegister(physical(unit, at), 0xffff, INDEFINITE.significand);
      markValid(unit, at);
    }
  }
  const signExponent = unit.signExponent(a);
  const significand = unit.significand(a);
  unit.setRegister(a, unit.signExponent(b), unit.significand(b));
  unit.setRegister(b, signExponent, significand);
}

/** FCMOVcc: a row 0..3 (B E BE U) and whether the condition is negated. */
export function moveIf(unit: X87Unit, row: number, negated: boolean, i: number): void {
  if (isEmpty(unit, 0) || isEmpty(unit, i)) {
    if (!stackFault(unit, false)) return;
    unit.setRegister(physical(unit, 0), 0xffff, INDEFINITE.significand);
    markValid(unit, 0);
    return;
  }
  const holds = (unit.flags() & [0x01, 0x40, 0x41, 0x04][row]!) !== 0;
  if (holds === negated) return;
  const from = physical(unit, i);
  unit.setRegister(physical(unit, 0), unit.signExponent(from), unit.significand(from));
}
