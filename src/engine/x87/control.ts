import {
  environmentSize,
  initialise,
  putEnvironment,
  putStack,
  takeEnvironment,
  takeStack,
  writeControl,
} from './image.ts';
import { type X87Unit, updateSummary } from './unit.ts';

/** FLDCW. */
export function loadControl(unit: X87Unit): void {
  unit.load(2);
  writeControl(unit, unit.buffer.getUint16(0, true));
}

/** FNSTCW and FNSTSW to memory. */
export function storeWord(unit: X87Unit, value: number): void {
  unit.buffer.setUint16(0, value, true);
  unit.store(2);
}

/** FLDENV. */
export function loadEnvironment(unit: X87Unit): void {
  unit.load(environmentSize(unit));
  takeEnvironment(unit);
}

/** FNSTENV: stores the environment, then masks every exception (SDM vol. 2, FSTENV). */
export function storeEnvironment(unit: X87Unit): void {
  putEnvironment(unit);
  unit.store(environmentSize(unit));
  unit.fcw |= 0x3f;
  updateSummary(unit);
}

/** FRSTOR. */
export function restore(unit: X87Unit): void {
  const size = environmentSize(unit);
  unit.load(size + 80);
  takeEnvironment(unit);
  takeStack(unit, size);
}

/** FNSAVE: stores everything, then initialises (SDM vol. 2, FSAVE). */
export function save(unit: X87Unit): void {
  const size = environmentSize(unit);
  putEnvironment(unit);
  putStack(unit, size);
  unit.store(size + 80);
  initialise(unit);
}

/** FNCLEX. */
export function clearExceptions(unit: X87Unit): void {
  unit.fsw &= 0x7f00;
}
