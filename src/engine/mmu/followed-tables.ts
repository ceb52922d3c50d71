import type { Gpa } from '../../base/units.ts';
import * as L from '../state/layout.ts';
import { alignedDown, type EngineMemory } from '../state/memory.ts';
import { PAGE } from './page-flags.ts';

/** The guest changed an entry of its own page tables. Both values are the 8 aligned bytes at `gpa`. */
export interface TableWrite {
  readonly gpa: Gpa;
  readonly old: bigint;
  readonly new: bigint;
}

/**
 * Which pages of host memory the guest has used as page tables, from the first walk through them on. Unlike the TLB's
 * watch this is state: what is reported must not depend on what happens to be cached.
 */
export class FollowedTables {
  /** Per page of host memory: gfn + 1 of a page a walk used, or 0. */
  readonly frames: Float64Array;
  private readonly memory: EngineMemory;
  private readonly flags: Uint8Array;
  private readonly report: (write: TableWrite) => void;

  constructor(memory: EngineMemory, flags: Uint8Array, report: (write: TableWrite) => void) {
    this.memory = memory;
    this.flags = flags;
    this.report = report;
    this.frames = new Float64Array(flags.length);
  }

  /** A walk uses the table at guest-physical `gpa`. True: its page was not known yet. */
  used(page: number, gpa: Gpa): boolean {
    if (this.frames[page] !== 0) return false;
    this.frames[page] = Math.floor(gpa / 4096) + 1;
    this.flags[page] = (this.flags[page] as number) | PAGE.followed;
    return true;
  }

  /** `frames` was put back from a checkpoint. */
  restored(): void {
    this.frames.forEach((frame, page) => {
      const rest = (this.flags[page] as number) & ~PAGE.followed;
      this.flags[page] = frame === 0 ? rest : rest | PAGE.followed;
    });
  }

  /** Carry out a guest's write to a followed page, reporting every entry it changes. */
  write(host: number, length: number, carryOut: () => void): void {
    const first = alignedDown(host);
    const count = Math.ceil((host + length - first) / 8);
    const before = Array.from({ length: count }, (_, i) => this.memory.read64(first + 8 * i));
    carryOut();
    const page = (host - L.HOST_MEMORY) >>> 12;
    const base = ((this.frames[page] as number) - 1) * 4096 + (first & 0xfff);
    before.forEach((old, i) => {
      const now = this.memory.read64(first + 8 * i);
      if (now !== old) this.report({ gpa: base + 8 * i, old, new: now });
    });
  }
}
