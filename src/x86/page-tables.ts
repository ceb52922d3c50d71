import type { Gpa, Gva } from '../base/units.ts';
import type { Registers } from './guest.ts';
import { CR0_PG, CR4_LA57, CR4_PAE, CR4_PSE, EFER_LMA } from './registers.ts';
import { PTE_FRAME, PTE_LARGE, PTE_PRESENT } from './paging.ts';

/** What a walk needs of the guest: a paging-structure entry by its guest-physical address; undefined: no memory. */
export type ReadEntry = (gpa: Gpa, size: 4 | 8) => bigint | undefined;

/** Where a linear address leads, and the entries on the way, from the top. */
export interface Walked {
  readonly gpa: Gpa;
  readonly entries: readonly bigint[];
}

/**
 * The guest's own page tables, read as they lie in its memory: what EPT maps by now does not count, nothing is set and
 * rights are not asked for. SDM Vol. 3, 4.3 to 4.5. Undefined: not mapped.
 */
export function walkPageTables(registers: Registers, linear: Gva, read: ReadEntry): Walked | undefined {
  const { cr0, cr3, cr4, efer } = registers;
  if ((efer & EFER_LMA) !== 0n) return descend(cr3 & PTE_FRAME, linear, (cr4 & CR4_LA57) !== 0n ? 5 : 4, read);
  // Linear addresses have 32 bits outside IA-32e mode.
  if (linear >> 32n !== 0n) return undefined;
  if ((cr0 & CR0_PG) === 0n) return { gpa: Number(linear), entries: [] };
  if ((cr4 & CR4_PAE) === 0n) return twoLevels(cr3, cr4, linear, read);
  const pointer = read(Number((cr3 & 0xffff_ffe0n) + 8n * ((linear >> 30n) & 3n)), 8);
  if (pointer === undefined || (pointer & PTE_PRESENT) === 0n) return undefined;
  const rest = descend(pointer & PTE_FRAME, linear & 0x3fff_ffffn, 2, read);
  return rest === undefined ? undefined : { gpa: rest.gpa, entries: [pointer, ...rest.entries] };
}

/** Tables of 512 entries, from `levels` down. */
function descend(top: bigint, linear: Gva, levels: number, read: ReadEntry): Walked | undefined {
  const entries: bigint[] = [];
  let table = top;
  for (let level = levels; level >= 1; level -= 1) {
    const shift = BigInt(3 + 9 * level);
    const entry = read(Number(table + 8n * ((linear >> shift) & 0x1ffn)), 8);
    if (entry === undefined || (entry & PTE_PRESENT) === 0n) return undefined;
    entries.push(entry);
    const isLeaf = level === 1 || (level <= 3 && (entry & PTE_LARGE) !== 0n);
    const within = (1n << shift) - 1n;
    if (isLeaf) return { gpa: Number((entry & PTE_FRAME & ~within) | (linear & within)), entries };
    table = entry & PTE_FRAME;
  }
  return undefined;
}

/** 32-bit paging. Bits 20:13 of a 4 MiB page's entry are bits 39:32 of its address. SDM Vol. 3, table 4-4. */
function twoLevels(cr3: bigint, cr4: bigint, linear: Gva, read: ReadEntry): Walked | undefined {
  const directory = read(Number((cr3 & 0xffff_f000n) + 4n * (linear >> 22n)), 4);
  if (directory === undefined || (directory & PTE_PRESENT) === 0n) return undefined;
  if ((directory & PTE_LARGE) !== 0n && (cr4 & CR4_PSE) !== 0n) {
    const base = (((directory >> 13n) & 0xffn) << 32n) | (directory & 0xffc0_0000n);
    return { gpa: Number(base | (linear & 0x3f_ffffn)), entries: [directory] };
  }
  const entry = read(Number((directory & 0xffff_f000n) + 4n * ((linear >> 12n) & 0x3ffn)), 4);
  if (entry === undefined || (entry & PTE_PRESENT) === 0n) return undefined;
  return { gpa: Number((entry & 0xffff_f000n) | (linear & 0xfffn)), entries: [directory, entry] };
}
