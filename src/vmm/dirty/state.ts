/** What QEMU knows of pages that were written. QEMU 7.2: softmmu/memory.c, migration/dirtyrate.c. */
import type { Ns, Seq } from '../../base/units.ts';
import type { PageBits } from '../../memory/page-bits.ts';

/** Who finds pages written: KVM's log of the processors, QEMU itself (its devices' DMA), workers of the kernel. */
export const WRITERS = ['kvm', 'qemu', 'vhost'] as const;

export type Writer = (typeof WRITERS)[number];

/** Where a measurement stands. QEMU's DirtyRateStatus. */
export const STATUSES = ['unstarted', 'measuring', 'measured'] as const;

/** global_dirty_tracking, and the last measurement. Absent from a machine's state: nobody ever asked for one. */
export interface DirtyState {
  /** Who wants memory to be logged: bits of GLOBAL_DIRTY_*. 0: it is not. */
  readonly tracking: number;
  readonly status: (typeof STATUSES)[number];
  /** How long it is measured. */
  readonly seconds: number;
  /** Virtual nanoseconds from which on and up to which, and the fact that says so. */
  readonly start: Ns;
  readonly due: Ns;
  readonly waits: Seq;
  /** MiB a second; -1: not known yet. */
  readonly rate: number;
  /** Pages that were found in KVM's log so far, and how many those were when the measurement began. */
  readonly total: number;
  readonly first: number;
  /** Guest frames found written since then, by whom. */
  readonly pages: Readonly<Record<Writer, PageBits>>;
}
