import type { EptState, KvmState, VcpuState } from '../state.ts';
import type { MmuRoot } from './root.ts';

/** No tables yet. */
export const newRoots = (): EptState['roots'] => ({ tdp: { kind: 'tdp', table: 0, level: 4 } });

/** The root through which a vCPU's guest-physical addresses go. All vCPUs share the tables of the TDP MMU. */
export const rootInUse = ({ ept }: KvmState, { mmu }: VcpuState): MmuRoot => ept.roots[mmu];
