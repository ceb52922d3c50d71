import type { DecodedInstruction } from '../code/instruction.ts';
import { PRIMARY } from '../../x86/controls.ts';
import { EXIT_REASONS, type ExitName, type ExitReason } from '../../x86/exit-reasons.ts';
import { GuestFault, instructionExit, VECTOR } from '../core/fault.ts';
import type { Boundary, Core, RegisterFile } from '../core/core.ts';
import type { Outcome } from './operand.ts';

/** The instruction at hand exits: what its routine returns. Nothing is thrown, as throwing is what costs most. */
export function leave(p: Boundary, d: DecodedInstruction, reason: number, qualification = 0n): Outcome {
  return p.exitWith(instructionExit(reason, qualification, d.length));
}

type Controlled = Pick<Core, 'controls'>;

/** Whether a primary control is set. */
export const primary = (p: Controlled, bit: number): boolean => (p.controls.primary & bit) !== 0;
/** Whether there are secondary controls. */
const hasSecondary = (p: Controlled): boolean => (p.controls.primary & PRIMARY.SECONDARY_CONTROLS) !== 0;
/** Whether a secondary control is on. */
export const secondary = (p: Controlled, bit: number): boolean => hasSecondary(p) && (p.controls.secondary & bit) !== 0;

/** A VMX guest does not have this instruction: its "enable" control is off. SDM Vol. 3, 26.3. */
export const withheld = (p: Controlled, bit: number): boolean => hasSecondary(p) && (p.controls.secondary & bit) === 0;

/** By name: the bits of two words of controls each of which makes instructions exit. */
const CONTROLS = Object.fromEntries(
  Object.entries<ExitReason>(EXIT_REASONS).map(([name, { controls = [] }]) => {
    const bits = (word: string): number => controls.reduce((sum, each) => (each.in === word ? sum | each.bit : sum), 0);
    return [name, { first: bits('primary'), second: bits('secondary') }];
  }),
) as Readonly<Record<ExitName, { readonly first: number; readonly second: number }>>;

/** Whether a control is set that makes the instructions of a reason exit. */
export function intercepts(p: Controlled, name: ExitName): boolean {
  const { first, second } = CONTROLS[name];
  return primary(p, first) || secondary(p, second);
}

/** #GP(0) above CPL 0. */
export function privileged(p: RegisterFile): void {
  if (p.state.cpl !== 0) throw new GuestFault(VECTOR.GP, 0);
}
