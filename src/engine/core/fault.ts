import type { Gpa } from '../../base/units.ts';
import { NO_EXIT, type VmExit } from '../../x86/guest.ts';

export { hasErrorCode, isContributory, VECTOR } from '../../x86/exceptions.ts';

/** Thrown inside the engine's TypeScript when the instruction at hand raises an exception. Never leaves the engine. */
export class GuestFault {
  readonly vector: number;
  readonly error: number;
  constructor(vector: number, error = 0) {
    this.vector = vector;
    this.error = error;
  }
}

/** Thrown when the instruction at hand causes a VM exit. Never leaves the engine. */
export class GuestExit {
  readonly exit: VmExit;
  constructor(exit: VmExit) {
    this.exit = exit;
  }
}

/** Thrown when a memory access met memory-mapped data KVM must fetch first. Never leaves the engine. */
export class MmioNeeded {
  readonly gpa: Gpa;
  readonly length: number;
  constructor(gpa: Gpa, length: number) {
    this.gpa = gpa;
    this.length = length;
  }
}

/** A VM exit with the given fields, the others zero. */
export const vmExit = (fields: Partial<VmExit>): VmExit => ({ ...NO_EXIT, ...fields });

/** The exit of an instruction of `instructionLength` bytes that carries nothing but its qualification. */
export const instructionExit = (reason: number, qualification: bigint, instructionLength: number): VmExit => ({
  ...NO_EXIT,
  reason,
  qualification,
  instructionLength,
});
