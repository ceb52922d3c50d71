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

/** The pages with a flag, which is taken away. Four are looked at in one go: mostly none has it. */
export function takeFlagged(flags: Uint8Array, flag: number): number[] {
  const pages: number[] = [];
  const whole = flags.length & ~3;
  const fours = new Uint32Array(flags.buffer, flags.byteOffset, whole >>> 2);
  const any = flag * 0x0101_0101;
  const takeFrom = (first: number, end: number): void => {
    for (let page = first; page < end; page += 1) {
      if (((flags[page] as number) & flag) === 0) continue;
      flags[page] = (flags[page] as number) & ~flag;
      pages.push(page);
    }
  };
  for (let at = 0; at < fours.length; at += 1) if (((fours[at] as number) & any) !== 0) takeFrom(at * 4, at * 4 + 4);
  takeFrom(whole, flags.length);
  return pages;
}
