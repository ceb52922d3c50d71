import { Problem } from '../../base/problem.ts';
import type { Registers } from '../../x86/guest.ts';
import { linearRipOf } from '../../machine/guest-view.ts';
import { SEGMENT_NAMES } from '../../x86/registers.ts';
import { GPR_NAMES } from '../../x86/guest.ts';

const WORDS = ['rip', 'rflags', 'cr0', 'cr2', 'cr3', 'cr4', 'efer', 'xcr0'] as const;
const SMALL = ['cr8', 'interruptibility', 'activity'] as const;

type Read = (registers: Registers) => bigint;

/** Registers by the names people type, and how each is read. */
const READERS: ReadonlyMap<string, Read> = new Map([
  ...GPR_NAMES.map((name, index): [string, Read] => [name, (registers) => registers.gpr(index)]),
  ...GPR_NAMES.slice(0, 8).map((name, index): [string, Read] => [
    `e${name.slice(1)}`,
    (registers) => BigInt.asUintN(32, registers.gpr(index)),
  ]),
  ...WORDS.map((name): [string, Read] => [name, (registers) => registers[name]]),
  ...SMALL.map((name): [string, Read] => [name, (registers) => BigInt(registers[name])]),
  ...SEGMENT_NAMES.map((name, index): [string, Read] => [
    name,
    (registers) => BigInt(registers.segment(index).selector),
  ]),
  ...SEGMENT_NAMES.map((name, index): [string, Read] => [`${name}_base`, (registers) => registers.segment(index).base]),
  ...[0, 1, 2, 3, 6, 7].map((index): [string, Read] => [`dr${index}`, (registers) => registers.dr(index)]),
  ['gdtr', (registers) => registers.gdtr.base],
  ['idtr', (registers) => registers.idtr.base],
  ['eflags', (registers) => registers.rflags],
  ['sp', (registers) => registers.gpr(4)],
  ['cpl', (registers) => BigInt((registers.segment(2).access >> 5) & 3)],
  ['pc', linearRipOf],
]);

/** How a register is read by name, such as `rax`, `cr3`, `gs_base`. */
export function registerReader(name: string): Read {
  const read = READERS.get(name.toLowerCase());
  if (read === undefined) throw new Problem(`No register is named ${name}.`);
  return read;
}

const CHANGED_BY_ANY = /^([er].[xip]|r\d+|sp|pc|[re]flags|interruptibility|activity)$/;

/** Whether only system instructions, events and KVM change it. */
export const isSystemRegister = (name: string): boolean => !CHANGED_BY_ANY.test(name.toLowerCase());

/** Every register that has a name. */
export const REGISTER_NAMES: readonly string[] = [...READERS.keys()];

/** Names that start so, for completion. */
export const registerNames = (prefix: string): string[] => REGISTER_NAMES.filter((name) => name.startsWith(prefix));
