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
} as const;
