/** What the tables below a root translate. Linux struct kvm_mmu: one for each, of which a vCPU uses one at a time. */
export type RootKind = 'tdp';

/** The top of a tree of tables. */
export interface MmuRoot {
  readonly kind: RootKind;
  /** Host-physical address of the table, 0 when there is none. */
  readonly table: number;
  /** Levels of tables, the top one counted. */
  readonly level: number;
}
