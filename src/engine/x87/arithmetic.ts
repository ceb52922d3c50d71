import { add, divide, multiply, subtract } from '../float/arithmetic.ts';
import { type FloatEnvironment, x87Environment } from '../float/environment.ts';
import { unpackDouble, unpackInteger, unpackSingle } from '../float/formats.ts';
import type { Unpacked } from '../float/unpacked.ts';
import { compareWith } from './compare.ts';
import { type X87Unit, isEmpty, pop, readSt, settle, stackFault, writeIndefinite, writeSt } from './unit.ts';

/** Operation 0..7 of the reg field: FADD FMUL (FCOM FCOMP) FSUB FSUBR FDIV FDIVR, a being ST(0). */
function operate(env: FloatEnvironment, operation: number, a: Unpacked, b: Unpacked): Unpacked {
  switch (operation) {
    case 0:
      return add(env, a, b);
    case 1:
      return multiply(env, a, b);
    case 4:
      return subtract(env, a, b);
    case 5:
      return subtract(env, b, a);
    case 6:
      return divide(env, a, b);
    default:
      return divide(env, b, a);
  }
}

/** Loads the memory operand of D8 (m32), DA (m32int), DC (m64) or DE (m16int). */
function loadOperand(unit: X87Unit, opcode: number): Unpacked {
  const size = opcode === 0xdc ? 8 : opcode === 0xde ? 2 : 4;
  unit.load(size);
  if (opcode === 0xd8) return unpackSingle(unit.buffer.getUint32(0, true), false);
  if (opcode === 0xdc) return unpackDouble(unit.buffer.getBigUint64(0, true), false);
  if (opcode === 0xda) return unpackInteger(BigInt(unit.buffer.getInt32(0, true)));
  return unpackInteger(BigInt(unit.buffer.getInt16(0, true)));
}

/** FADD, FIADD and the other operations of ST(0) with a memory operand (SDM vol. 1 §8.3.3). */
export function memoryArithmetic(unit: X87Unit, opcode: number, operation: number): void {
  const b = loadOperand(unit, opcode);
  if (operation === 2 || operation === 3) {
    compareWith(unit, b, operation - 2, true);
    return;
  }
  if (isEmpty(unit, 0)) {
    if (stackFault(unit, false)) writeIndefinite(unit, 0);
    return;
  }
  const env = x87Environment(unit.fcw);
  const result = operate(env, operation, readSt(unit, 0), b);
  if (settle(unit, env)) writeSt(unit, 0, result);
}

/** FADD ST(0), ST(i); FADD ST(i), ST(0); FADDP and their like. */
export function registerArithmetic(unit: X87Unit, operation: number, i: number, toSti: boolean, pops: boolean): void {
  const destination = toSti ? i : 0;
  if (isEmpty(unit, 0) || isEmpty(unit, i)) {
    if (!stackFault(unit, false)) return;
    writeIndefinite(unit, destination);
    if (pops) pop(unit);
    return;
  }
  const env = x87Environment(unit.fcw);
  const result = operate(env, operation, readSt(unit, 0), readSt(unit, i));
  if (!settle(unit, env)) return;
  writeSt(unit, destination, result);
  if (pops) pop(unit);
}
