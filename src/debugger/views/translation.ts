import type { Gpa, Gva } from '../../base/units.ts';
import { type GuestView, isPaging, registersOf, walkLinear } from '../../machine/guest-view.ts';
import { evaluate } from '../look/vantage.ts';
import { type EptWalk, eptWalkText, walkEpt } from './ept.ts';
import { viewOf } from './view.ts';

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** Every entry that leads from a linear address to host memory. */
interface TranslationSeen {
  readonly linear: Gva;
  /** Undefined: paging is off. */
  readonly cr3: bigint | undefined;
  /** The guest's own entries, from the top. */
  readonly entries: readonly bigint[];
  /** Undefined: the guest does not map it. */
  readonly gpa: Gpa | undefined;
  readonly ept: EptWalk | undefined;
  /** Whose registers lie there, where it is no memory. */
  readonly device: string | undefined;
}

function translationSeen(view: GuestView, vcpu: number, address: Gva): TranslationSeen {
  const linear = BigInt.asUintN(64, address);
  const registers = registersOf(view, vcpu);
  const { entries = [], gpa } = walkLinear(view, vcpu, linear) ?? {};
  const ept = gpa === undefined ? undefined : walkEpt(view, vcpu, gpa);
  const device = gpa === undefined ? undefined : view.machine.vmm.ownerOf(gpa);
  return { linear, cr3: isPaging(registers) ? registers.cr3 : undefined, entries: [...entries], gpa, ept, device };
}

function translationText({ linear, cr3, entries, gpa, ept, device }: TranslationSeen): string {
  const lines = [`linear ${hex(linear)}`];
  if (cr3 === undefined) lines.push('  paging is off: CR0.PG = 0');
  else lines.push(`  CR3 ${hex(cr3)}`, ...guestEntries(entries));
  if (gpa === undefined || ept === undefined) return [...lines, '  not mapped by the guest'].join('\n');
  const whose = device === undefined ? '' : `: registers of ${device}`;
  return [...lines, `guest-physical ${hex(gpa)}${whose}`, ...eptWalkText(ept)].join('\n');
}

const GUEST_LEVELS = ['PML5E', 'PML4E', 'PDPTE', 'PDE', 'PTE'] as const;

function guestEntries(entries: readonly bigint[]): string[] {
  const first = entries.length === 5 ? 0 : 1;
  const isTwoLevel = entries.length === 2 && entries.every((entry) => entry < 2n ** 32n);
  return entries.map((entry, at) => {
    const name = isTwoLevel ? (at === 0 ? 'PDE' : 'PTE') : (GUEST_LEVELS[first + at] ?? `level ${at}`);
    return `  ${name.padEnd(6)}${hex(entry)} ${guestBits(entry)}`;
  });
}

const BITS: readonly (readonly [bigint, string])[] = [
  [1n, 'P'],
  [2n, 'W'],
  [4n, 'U'],
  [8n, 'PWT'],
  [16n, 'PCD'],
  [32n, 'A'],
  [64n, 'D'],
  [128n, 'PS'],
  [256n, 'G'],
  [1n << 63n, 'XD'],
];

const guestBits = (entry: bigint): string =>
  BITS.flatMap(([bit, name]) => ((entry & bit) === 0n ? [] : [name])).join(' ');

export const TRANSLATION = viewOf({
  usage: 'translate ADDR',
  help: 'every entry from a linear address to the host frame',
  look: (from, words) => translationSeen(from.view, from.vcpu, evaluate(from, words)),
  print: translationText,
});
