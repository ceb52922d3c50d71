import { compare } from '../float/convert.ts';
import { x87Environment } from '../float/environment.ts';
import { DENORMAL, INFINITE, NORMAL, UNSUPPORTED, type Unpacked, ZERO, zero } from '../float/unpacked.ts';
import {
  C0,
  C2,
  C3,
  type X87Unit,
  isEmpty,
  physical,
  pop,
  readSt,
  setC1,
  setConditions,
  settle,
  stackFault,
} from './unit.ts';

/** C3 C2 C0 for less, equal, greater, unordered (SDM vol. 1 table 8-6). */
const CODES = [C0, C3, 0, C0 | C2 | C3] as const;
/** ZF PF CF for the same (SDM vol. 1 table 8-7). */
const FLAGS = [0x01, 0x40, 0x00, 0x45] as const;

function popTimes(unit: X87Unit, pops: number): void {
  for (let i = 0; i < pops; i++) pop(unit);
}

/**
 * FCOM and its like: ST(0) with an operand already at hand, then so many pops. The condition codes are set even when
 * an unmasked exception keeps the stack as it is, as processors do (the SDM lets one expect them unchanged).
 */
export function compareWith(unit: X87Unit, b: Unpacked, pops: number, signalsQuiet: boolean): void {
  if (isEmpty(unit, 0)) {
    underflow(unit, pops);
    return;
  }
  const env = x87Environment(unit.fcw);
  const order = compare(env, readSt(unit, 0), b, signalsQuiet);
  setConditions(unit, CODES[order + 1]!);
  if (settle(unit, env)) popTimes(unit, pops);
}

/** FCOM ST(i), FUCOM ST(i), with pops. */
export function compareRegister(unit: X87Unit, i: number, pops: number, signalsQuiet: boolean): void {
  if (!isEmpty(unit, 0) && !isEmpty(unit, i)) {
    compareWith(unit, readSt(unit, i), pops, signalsQuiet);
    return;
  }
  underflow(unit, pops);
}

function underflow(unit: X87Unit, pops: number): void {
  setConditions(unit, CODES[3]);
  if (stackFault(unit, false)) popTimes(unit, pops);
}

/** FTST: ST(0) with 0. */
export function test(unit: X87Unit): void {
  compareWith(unit, zero(0), 0, true);
}

/** FCOMI, FUCOMI, with or without a pop: the result goes to RFLAGS. */
export function compareToFlags(unit: X87Unit, i: number, pops: number, signalsQuiet: boolean): void {
  if (isEmpty(unit, 0) || isEmpty(unit, i)) {
    unit.setFlags(FLAGS[3]);
    if (stackFault(unit, false)) popTimes(unit, pops);
    return;
  }
  const env = x87Environment(unit.fcw);
  unit.setFlags(FLAGS[compare(env, readSt(unit, 0), readSt(unit, i), signalsQuiet) + 1]!);
  if (settle(unit, env)) popTimes(unit, pops);
}

/** FXAM: the class of ST(0) in C3 C2 C0, its sign in C1 (SDM vol. 2, FXAM). */
export function examine(unit: X87Unit): void {
  const sign = unit.signExponent(physical(unit, 0)) >> 15;
  setC1(unit, sign === 1);
  setConditions(unit, isEmpty(unit, 0) ? C3 | C0 : classCodes(readSt(unit, 0).kind));
}

function classCodes(kind: number): number {
  switch (kind) {
    case ZERO:
      return C3;
    case NORMAL:
      return C2;
    case DENORMAL:
      return C3 | C2;
    case INFINITE:
      return C2 | C0;
    case UNSUPPORTED:
      return 0;
    default:
      return C0;
  }
}
