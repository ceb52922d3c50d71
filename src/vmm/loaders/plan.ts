import type { Gpa } from '../../base/units.ts';

/** Bytes to be in guest memory before the first instruction; zeros follow up to `size`. */
export interface Segment {
  readonly gpa: Gpa;
  readonly bytes: Uint8Array;
  readonly size: number;
}

/** Where a loaded kernel starts: flat 32-bit protected mode, paging off, interrupts off. */
export interface KernelEntry {
  readonly eip: number;
  readonly eax: number;
  readonly ebx: number;
  readonly esi: number;
  /** Selectors a boot protocol prescribes; code, then data. */
  readonly codeSelector: number;
  readonly dataSelector: number;
  readonly gdtBase: number;
  readonly gdtLimit: number;
}

/** Where a kernel's real-mode code starts, at offset 0: interrupts off, one segment for data and stack. */
export interface RealModeEntry {
  readonly codeSegment: number;
  readonly dataSegment: number;
  readonly sp: number;
}

/** What a loader decided, before anything is done. */
export interface LoadPlan {
  readonly segments: readonly Segment[];
  readonly entry: KernelEntry | RealModeEntry;
}

/** A segment that is exactly its bytes. */
export const segment = (gpa: Gpa, bytes: Uint8Array): Segment => ({ gpa, bytes, size: bytes.length });
