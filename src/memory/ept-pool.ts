import type { Gpa } from '../base/units.ts';

/**
 * The pages extended page tables are made of. KVM writes them, the processor walks them: both see the same 64-bit
 * entries, kept as (low, high) pairs of 32-bit words. Page `i` lies at host-physical EPT_POOL_BASE + i * 4096.
 */
export const EPT_POOL_BASE = 0x10_0000_0000;

/** 32-bit words of one page: 512 entries, two words each. */
export const EPT_PAGE_WORDS = 1024;

/** Pages for tables of a machine with so much memory: all of it may be mapped by small pages, and some are to spare. */
export const tablePages = (bytes: number): number => Math.ceil(bytes / LARGE_PAGE) + SPARE_PAGES;
const LARGE_PAGE = 2 << 20;
const SPARE_PAGES = 512;

/** What hardware sees in an EPT entry. SDM Vol. 3, Tables 29-1 to 29-7; bits of the low word. */
export const EPT_READ = 1;
export const EPT_WRITE = 2;
export const EPT_EXECUTE = 4;
export const EPT_ACCESS = 7;
export const EPT_MEMORY_TYPE_SHIFT = 3;
export const EPT_IGNORE_PAT = 0x40;
export const EPT_LARGE = 0x80;
export const EPT_ACCESSED = 0x100;
export const EPT_DIRTY = 0x200;

/** Word index (of the low half) of entry `index` in the pool page at host-physical `page`. */
export const eptWord = (page: number, index: number): number => ((page - EPT_POOL_BASE) / 4096) * 1024 + index * 2;

/** Which of a table's 512 entries translates `gpa`; level 4 is the root, 1 the page table. */
export const eptIndex = (gpa: Gpa, level: number): number => Math.floor(gpa / 2 ** (3 + 9 * level)) % 512;

/** Physical address (bits 51:12) an entry's words hold. */
export const eptAddress = (low: number, high: number): number =>
  (high & 0xfffff) * 0x1_0000_0000 + ((low & 0xfffff000) >>> 0);

/** The 64-bit entry of two words. */
export const eptEntry = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
