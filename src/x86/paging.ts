/** Bits of paging-structure entries. SDM Vol. 3, Tables 4-4 to 4-20. */
export const PTE = {
  PRESENT: 1 << 0,
  WRITABLE: 1 << 1,
  USER: 1 << 2,
  ACCESSED: 1 << 5,
  DIRTY: 1 << 6,
  /** In an entry above the last level: it maps a page. */
  LARGE: 1 << 7,
} as const;

export const PTE_PRESENT = BigInt(PTE.PRESENT);
export const PTE_LARGE = BigInt(PTE.LARGE);
/** What the processor sets by itself. */
export const PTE_MARKS = BigInt(PTE.ACCESSED | PTE.DIRTY);

/** Physical address in an entry, in CR3 and in the EPT pointer: bits 51:12. */
export const PTE_FRAME = 0xf_ffff_ffff_f000n;
