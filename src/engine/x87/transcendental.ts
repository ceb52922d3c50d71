import { type FloatEnvironment, x87Environment } from '../float/environment.ts';
import { logarithm, logarithmPlusOne, powerMinusOne } from '../float/logarithm.ts';
import { arctangent, cosine, isBeyondReduction, sine, tangent } from '../float/trigonometry.ts';
import { INDEFINITE, QUIET, type Unpacked, finite } from '../float/unpacked.ts';
import { operandsThere } from './unary.ts';
import {
  C2,
  type X87Unit,
  isEmpty,
  pop,
  push,
  readSt,
  setC1,
  settle,
  stackFault,
  writeIndefinite,
  writeSt,
} from './unit.ts';

const PLUS_ONE = finite(0, 0, 1n << 63n);

/** D9 F0 F1 F2 F3 F9 FB FE FF: the transcendental instructions (SDM vol. 1 §8.3.7). */
export function transcendental(unit: X87Unit, modrm: number): void {
  if (modrm === 0xf0) replace(unit, powerMinusOne);
  else if (modrm === 0xf1) combine(unit, logarithm);
  else if (modrm === 0xf2) withPush(unit, tangent, () => PLUS_ONE);
  else if (modrm === 0xf3) combine(unit, (env, x, y) => arctangent(env, y, x));
  else if (modrm === 0xf9) combine(unit, logarithmPlusOne);
  else if (modrm === 0xfb) withPush(unit, sine, cosine);
  else reduceAndReplace(unit, modrm === 0xfe ? sine : cosine);
}

type Unary = (env: FloatEnvironment, a: Unpacked) => Unpacked;

function replace(unit: X87Unit, of: Unary): void {
  if (!operandsThere(unit, 1)) return;
  const env = x87Environment(unit.fcw);
  const result = of(env, readSt(unit, 0));
  if (settle(unit, env)) writeSt(unit, 0, result);
}

/** ST(1) = f(ST(0), ST(1)), then a pop. */
function combine(unit: X87Unit, of: (env: FloatEnvironment, x: Unpacked, y: Unpacked) => Unpacked): void {
  if (isEmpty(unit, 0) || isEmpty(unit, 1)) {
    if (!stackFault(unit, false)) return;
    writeIndefinite(unit, 1);
    pop(unit);
    return;
  }
  const env = x87Environment(unit.fcw);
  const result = of(env, readSt(unit, 0), readSt(unit, 1));
  if (!settle(unit, env)) return;
  writeSt(unit, 1, result);
  pop(unit);
}

function beyond(unit: X87Unit): boolean {
  if (!isBeyondReduction(readSt(unit, 0))) {
    unit.fsw &= ~C2;
    return false;
  }
  unit.fsw |= C2;
  setC1(unit, false);
  return true;
}

/** FSIN and FCOS. */
function reduceAndReplace(unit: X87Unit, of: Unary): void {
  if (isEmpty(unit, 0)) unit.fsw &= ~C2;
  else if (beyond(unit)) return;
  replace(unit, of);
}

/** FPTAN and FSINCOS: one result replaces ST(0), the other is pushed. */
function withPush(unit: X87Unit, of: Unary, other: Unary): void {
  if (isEmpty(unit, 0) || !isEmpty(unit, 7)) {
    unit.fsw &= ~C2;
    if (!stackFault(unit, !isEmpty(unit, 0))) return;
    writeIndefinite(unit, 0);
    push(unit, INDEFINITE);
    return;
  }
  if (beyond(unit)) return;
  const env = x87Environment(unit.fcw);
  const operand = readSt(unit, 0);
  const first = of(env, operand);
  const second = first.kind >= QUIET ? first : other(env, operand);
  if (!settle(unit, env)) return;
  writeSt(unit, 0, first);
  push(unit, second);
}
