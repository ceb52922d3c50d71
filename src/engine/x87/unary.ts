import { squareRoot } from '../float/arithmetic.ts';
import { roundToIntegral } from '../float/convert.ts';
import { DE, ROUND_NEAREST, ROUND_ZERO, x87Environment } from '../float/environment.ts';
import { type Remainder, extract, remainder, scale } from '../float/extended.ts';
import { DENORMAL, INDEFINITE, finite, zero } from '../float/unpacked.ts';
import { pushValue } from './transfer.ts';
import {
  C0,
  C1,
  C2,
  C3,
  type X87Unit,
  isEmpty,
  markValid,
  physical,
  push,
  readSt,
  setC1,
  setConditions,
  settle,
  stackFault,
  writeIndefinite,
  writeSt,
} from './unit.ts';

/** True when ST(0) .. ST(count-1) are there; else answers the stack underflow. */
export function operandsThere(unit: X87Unit, count: number): boolean {
  if (!isEmpty(unit, 0) && (count === 1 || !isEmpty(unit, 1))) return true;
  if (stackFault(unit, false)) writeIndefinite(unit, 0);
  return false;
}

/** FCHS (`negate`) and FABS: the sign bit alone. */
export function changeSign(unit: X87Unit, negate: boolean): void {
  if (!operandsThere(unit, 1)) return;
  const at = physical(unit, 0);
  const before = unit.signExponent(at);
  setC1(unit, false);
  unit.setRegister(at, negate ? before ^ 0x8000 : before & 0x7fff, unit.significand(at));
  markValid(unit, 0);
}

/** FSQRT. */
export function root(unit: X87Unit): void {
  if (!operandsThere(unit, 1)) return;
  const env = x87Environment(unit.fcw);
  const result = squareRoot(env, readSt(unit, 0));
  if (settle(unit, env)) writeSt(unit, 0, result);
}

/** FRNDINT. */
export function roundToInteger(unit: X87Unit): void {
  if (!operandsThere(unit, 1)) return;
  const env = x87Environment(unit.fcw);
  const operand = readSt(unit, 0);
  if (operand.kind === DENORMAL) env.raised |= DE;
  const result = roundToIntegral(env, operand, env.rounding);
  if (settle(unit, env)) writeSt(unit, 0, result);
}

/** FSCALE. */
export function scaleByPower(unit: X87Unit): void {
  if (!operandsThere(unit, 2)) return;
  const env = x87Environment(unit.fcw);
  const result = scale(env, readSt(unit, 0), readSt(unit, 1));
  if (settle(unit, env)) writeSt(unit, 0, result);
}

/** FXTRACT: the exponent replaces ST(0), the significand is pushed. */
export function split(unit: X87Unit): void {
  if (isEmpty(unit, 0) || !isEmpty(unit, 7)) {
    if (!stackFault(unit, !isEmpty(unit, 0))) return;
    writeIndefinite(unit, 0);
    push(unit, INDEFINITE);
    return;
  }
  const env = x87Environment(unit.fcw);
  const { exponent, significand } = extract(env, readSt(unit, 0));
  if (!settle(unit, env)) return;
  writeSt(unit, 0, exponent);
  push(unit, significand);
}

/** FPREM, and FPREM1 (`nearest`): C2 = partial, C0 C3 C1 = quotient bits 2 1 0. */
export function partialRemainder(unit: X87Unit, nearest: boolean): void {
  if (!operandsThere(unit, 2)) {
    unit.fsw &= ~C2;
    return;
  }
  const env = x87Environment(unit.fcw);
  const result: Remainder = remainder(env, readSt(unit, 0), readSt(unit, 1), nearest ? ROUND_NEAREST : ROUND_ZERO);
  const { quotient } = result;
  const delivers = settle(unit, env);
  if (quotient < 0 || !delivers) unit.fsw &= ~C2;
  if (!delivers) return;
  if (quotient >= 0) setQuotient(unit, quotient, result.partial);
  writeSt(unit, 0, result.value);
}

function setQuotient(unit: X87Unit, quotient: number, partial: boolean): void {
  setConditions(unit, (partial ? C2 : 0) | ((quotient & 4) !== 0 ? C0 : 0) | ((quotient & 2) !== 0 ? C3 : 0));
  unit.fsw = (quotient & 1) !== 0 ? unit.fsw | C1 : unit.fsw & ~C1;
}

/** FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2: exponent, significand rounded down, and whether nearest is one more. */
const CONSTANTS = [
  [0, 0x8000_0000_0000_0000n, 0n, 0n],
  [1, 0xd49a_784b_cd1b_8afen, 0n, 1n],
  [0, 0xb8aa_3b29_5c17_f0bbn, 1n, 1n],
  [1, 0xc90f_daa2_2168_c234n, 1n, 1n],
  [-2, 0x9a20_9a84_fbcf_f798n, 1n, 1n],
  [-1, 0xb172_17f7_d1cf_79abn, 1n, 1n],
] as const;

/** FLD1 to FLDZ, by the low three bits of the second byte (SDM vol. 2, FLD1). */
export function loadConstant(unit: X87Unit, which: number): void {
  if (which === 6) {
    pushValue(unit, zero(0));
    return;
  }
  const [exponent, down, nearest, up] = CONSTANTS[which]!;
  const rounding = (unit.fcw >> 10) & 3;
  pushValue(unit, finite(0, exponent, down + (rounding === 0 ? nearest : rounding === 2 ? up : 0n)));
}
