import { Problem } from '../../base/problem.ts';
import type { Gva } from '../../base/units.ts';
import { disassemble } from '../../engine/code/disassemble.ts';
import { bitsOf, linearRip, readLinear } from '../../machine/guest-view.ts';
import { type NamedPlace, placeAt, placeText, type Vantage } from './vantage.ts';

/** An instruction in memory. */
export interface InstructionSeen extends NamedPlace {
  readonly bytes: Uint8Array;
  readonly text: string;
  /** Where a near branch or call leads. */
  readonly target: NamedPlace | undefined;
  /** The processor executes it next. */
  readonly isNext: boolean;
}

/** Longest instruction. SDM Vol. 2, 2.3.11. */
const LONGEST_INSTRUCTION = 15;

/** Instructions from a linear address on. */
export function instructionsAt(from: Vantage, linear: Gva, count: number): InstructionSeen[] {
  const { view, vcpu } = from;
  const code = readLinear(view, vcpu, linear, count * LONGEST_INSTRUCTION);
  if (code.length === 0) throw new Problem(`There is no memory at 0x${linear.toString(16)}.`);
  const here = linearRip(view, vcpu);
  return disassemble(code, bitsOf(view, vcpu), linear, count).map(({ rip, bytes, text, target }) => ({
    ...placeAt(from, rip),
    bytes,
    text,
    target: target === undefined ? undefined : placeAt(from, target),
    isNext: rip === here,
  }));
}

/** An instruction on a line. */
export function instructionText(seen: InstructionSeen): string {
  const { bytes, text, target, isNext } = seen;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const comment = target?.name === undefined ? '' : `  <${target.name}>`;
  return `${isNext ? '=> ' : '   '}${placeText(seen)}: ${digits.padEnd(24)} ${text}${comment}`;
}

/** Instructions from a linear address on, a line each. */
export const disassembly = (from: Vantage, linear: Gva, count: number): string[] =>
  instructionsAt(from, linear, count).map(instructionText);
