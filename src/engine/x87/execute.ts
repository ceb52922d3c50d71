import { memoryArithmetic, registerArithmetic } from './arithmetic.ts';
import { compareRegister, compareToFlags, examine, test } from './compare.ts';
import {
  clearExceptions, loadControl, loadEnvironment, restore, save, storeEnvironment, storeWord,
} from './control.ts';
import { initialise } from './image.ts';
import { transcendental } from './transcendental.ts';
import {
  exchange, loadExtended, loadInteger, loadReal, loadRegister, moveIf, storeBcd, storeExtended, storeInteger, storeReal,
  storeQuietly, storeRegister,
} from './transfer.ts';
import { changeSign, loadConstant, partialRemainder, root, roundToInteger, scaleByPower, split } from './unary.ts';
import { ES, X87_DONE, X87_ERROR, X87_UNDEFINED, type X87Unit, markEmpty, moveTop, pop, setC1 } from './unit.ts';

/** Whether the instruction does not wait for a pending exception: FNINIT FNCLEX FNSTSW FNSTCW FNSTENV FNSAVE. */
function isNonWaiting(opcode: number, modrm: number): boolean {
  const reg = (modrm >> 3) & 7;
  if (modrm >= 0xc0) return (opcode === 0xdb && reg === 4) || (opcode === 0xdf && modrm === 0xe0);
  return (opcode === 0xd9 || opcode === 0xdd) && reg >= 6;
}

/** Whether the instruction is one of those that leave FIP, FDP and FOP alone (SDM vol. 1 §8.1.8). */
function isControl(opcode: number, modrm: number): boolean {
  const reg = (modrm >> 3) & 7;
  if (isNonWaiting(opcode, modrm)) return true;
  return modrm < 0xc0 && ((opcode === 0xd9 && (reg === 4 || reg === 5)) || (opcode === 0xdd && reg === 4));
}

/** FWAIT, and the check that every waiting instruction makes first: whether #MF is due (SDM vol. 1 §8.7). */
export function x87Pending(unit: X87Unit): boolean {
  return (unit.fsw & ES) !== 0;
}

/**
 * One x87 instruction by opcode D8..DF and ModRM: X87_DONE, X87_UNDEFINED (#UD) or X87_ERROR (#MF). The caller has
 * already dealt with CR0.EM and CR0.TS (#NM); nothing but memory has changed when `store` or `load` throws.
 */
export function executeX87(unit: X87Unit, opcode: number, modrm: number): number {
  if (modrm >= 0xc0 ? !isDefined(opcode, modrm) : isReservedMemory(opcode, modrm)) return X87_UNDEFINED;
  if (x87Pending(unit) && !isNonWaiting(opcode, modrm)) return X87_ERROR;
  const summary = unit.fsw & ES;
  if (modrm >= 0xc0) executeRegister(unit, opcode, modrm);
  else executeMemory(unit, opcode, (modrm >> 3) & 7);
  if (!isControl(opcode, modrm)) record(unit, opcode, modrm, summary);
  return X87_DONE;
}

/** FIP and FDP always; FOP when an unmasked exception became pending (SDM vol. 1 §8.1.9). */
function record(unit: X87Unit, opcode: number, modrm: number, summary: number): void {
  unit.fip = unit.instructionPointer;
  unit.fcs = unit.codeSelector;
  if (modrm < 0xc0) {
    unit.fdp = unit.dataPointer;
    unit.fds = unit.dataSelector;
  }
  if (summary === 0 && (unit.fsw & ES) !== 0) unit.fop = ((opcode & 7) << 8) | modrm;
}

/** Memory forms that do not exist: D9 /1, DB /4, DB /6, DD /5. */
function isReservedMemory(opcode: number, modrm: number): boolean {
  const reg = (modrm >> 3) & 7;
  return (opcode === 0xd9 && reg === 1) || (opcode === 0xdb && (reg === 4 || reg === 6)) || (opcode === 0xdd && reg === 5);
}

/** Register forms that exist: a row of 64 bits per opcode, by ModRM - C0 in groups of eight, or single encodings. */
function isDefined(opcode: number, modrm: number): boolean {
  const reg = (modrm >> 3) & 7;
  switch (opcode) {
    case 0xd9: return reg === 2 ? modrm === 0xd0 : reg !== 4 && reg !== 5 ? true : D9_SINGLES.has(modrm);
    case 0xda: return reg < 4 || modrm === 0xe9;
    case 0xdb: return reg === 4 ? modrm <= 0xe4 : reg !== 7;
    case 0xdd: return reg < 6;
    case 0xde: return reg !== 3 || modrm === 0xd9;
    case 0xdf: return reg < 4 || modrm === 0xe0 || reg === 5 || reg === 6;
    default: return true;
  }
}

const D9_SINGLES: ReadonlySet<number> = new Set([0xe0, 0xe1, 0xe4, 0xe5, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee]);

function executeMemory(unit: X87Unit, opcode: number, reg: number): void {
  switch (opcode) {
    case 0xd9: return executeD9Memory(unit, reg);
    case 0xdb: return executeDbMemory(unit, reg);
    case 0xdd: return executeDdMemory(unit, reg);
    case 0xdf: return executeDfMemory(unit, reg);
    default: return memoryArithmetic(unit, opcode, reg);
  }
}

function executeD9Memory(unit: X87Unit, reg: number): void {
  switch (reg) {
    case 0: return loadReal(unit, 4);
    case 2: return storeReal(unit, 4, false);
    case 3: return storeReal(unit, 4, true);
    case 4: return loadEnvironment(unit);
    case 5: return loadControl(unit);
    case 6: return storeEnvironment(unit);
    default: return storeWord(unit, unit.fcw);
  }
}

function executeDbMemory(unit: X87Unit, reg: number): void {
  switch (reg) {
    case 0: return loadInteger(unit, 4);
    case 1: return storeInteger(unit, 4, true, true);
    case 2: return storeInteger(unit, 4, false, false);
    case 3: return storeInteger(unit, 4, true, false);
    case 5: return loadExtended(unit);
    default: return storeExtended(unit);
  }
}

function executeDdMemory(unit: X87Unit, reg: number): void {
  switch (reg) {
    case 0: return loadReal(unit, 8);
    case 1: return storeInteger(unit, 8, true, true);
    case 2: return storeReal(unit, 8, false);
    case 3: return storeReal(unit, 8, true);
    case 4: return restore(unit);
    case 6: return save(unit);
    default: return storeWord(unit, unit.fsw);
  }
}

function executeDfMemory(unit: X87Unit, reg: number): void {
  switch (reg) {
    case 0: return loadInteger(unit, 2);
    case 1: return storeInteger(unit, 2, true, true);
    case 2: return storeInteger(unit, 2, false, false);
    case 3: return storeInteger(unit, 2, true, false);
    case 4: return loadInteger(unit, 10);
    case 5: return loadInteger(unit, 8);
    case 6: return storeBcd(unit);
    default: return storeInteger(unit, 8, true, false);
  }
}

function executeRegister(unit: X87Unit, opcode: number, modrm: number): void {
  const reg = (modrm >> 3) & 7;
  const i = modrm & 7;
  switch (opcode) {
    case 0xd8:
    case 0xdc:
      if (reg === 2 || reg === 3) return compareRegister(unit, i, reg - 2, true);
      return registerArithmetic(unit, reg, i, opcode === 0xdc, false);
    case 0xd9: return executeD9Register(unit, modrm, reg, i);
    case 0xda: return reg === 5 ? compareRegister(unit, 1, 2, false) : moveIf(unit, reg, false, i);
    case 0xdb: return executeDbRegister(unit, modrm, reg, i);
    case 0xdd: return executeDdRegister(unit, reg, i);
    case 0xde:
      if (reg === 2 || reg === 3) return compareRegister(unit, i, reg - 1, true);
      return registerArithmetic(unit, reg, i, true, true);
    default: return executeDfRegister(unit, reg, i);
  }
}

function executeD9Register(unit: X87Unit, modrm: number, reg: number, i: number): void {
  switch (reg) {
    case 0: return loadRegister(unit, i);
    case 1: return exchange(unit, i);
    case 2: return undefined;
    case 3: return storeQuietly(unit, i);
    case 5: return loadConstant(unit, i);
    default: return executeD9Single(unit, modrm);
  }
}

function executeD9Single(unit: X87Unit, modrm: number): void {
  switch (modrm) {
    case 0xe0: return changeSign(unit, true);
    case 0xe1: return changeSign(unit, false);
    case 0xe4: return test(unit);
    case 0xe5: return examine(unit);
    case 0xf4: return split(unit);
    case 0xf5: return partialRemainder(unit, true);
    case 0xf6: return rotate(unit, -1);
    case 0xf7: return rotate(unit, 1);
    case 0xf8: return partialRemainder(unit, false);
    case 0xfa: return root(unit);
    case 0xfc: return roundToInteger(unit);
    case 0xfd: return scaleByPower(unit);
    default: return transcendental(unit, modrm);
  }
}

/** FDECSTP and FINCSTP. */
function rotate(unit: X87Unit, by: number): void {
  moveTop(unit, by);
  setC1(unit, false);
}

/** FFREE. */
function release(unit: X87Unit, i: number): void {
  markEmpty(unit, i);
  setC1(unit, false);
}

function executeDbRegister(unit: X87Unit, modrm: number, reg: number, i: number): void {
  if (reg < 4) return moveIf(unit, reg, true, i);
  if (reg > 4) return compareToFlags(unit, i, 0, reg === 6);
  if (modrm === 0xe2) return clearExceptions(unit);
  return modrm === 0xe3 ? initialise(unit) : undefined;
}

function executeDdRegister(unit: X87Unit, reg: number, i: number): void {
  switch (reg) {
    case 0: return release(unit, i);
    case 1: return exchange(unit, i);
    case 2: return storeRegister(unit, i, false);
    case 3: return storeRegister(unit, i, true);
    default: return compareRegister(unit, i, reg - 4, false);
  }
}

function executeDfRegister(unit: X87Unit, reg: number, i: number): void {
  switch (reg) {
    case 0:
      release(unit, i);
      return pop(unit);
    case 1: return exchange(unit, i);
    case 2:
    case 3: return storeRegister(unit, i, true);
    case 4: return unit.setAx(unit.fsw);
    default: return compareToFlags(unit, i, 1, reg === 6);
  }
}
