/** What the engine must notice about a page of host memory before it lets a write through. */
export const PAGE = {
  /** Decoded code came from it. */
  code: 1,
  /** A page walk read a present entry from it. */
  table: 2,
  /** Written since the last checkpoint. */
  dirty: 4,
  /** A TLB entry lets writes to it through unseen. */
  writeCached: 8,
  /** The guest's page tables, when their writes are reported. */
  followed: 16,
  /** A debugger hears of every write to it. */
  tapped: 32,
} as const;

/** Flags that keep writes from going through unseen. */
export const NOTICED = PAGE.code | PAGE.table | PAGE.followed | PAGE.tapped;
