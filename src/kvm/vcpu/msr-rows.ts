import type { KvmContext } from '../context.ts';
import type { VcpuState } from '../state.ts';

/** How one MSR is read and written; `undefined` and `false` mean #GP (or a failing ioctl). */
export interface MsrRow {
  readonly read: (kvm: KvmContext, vcpu: VcpuState, byHost: boolean) => bigint | undefined;
  readonly write: (kvm: KvmContext, vcpu: VcpuState, value: bigint, byHost: boolean) => boolean;
  /** Listed by KVM_GET_MSR_INDEX_LIST. */
  readonly listed: boolean;
}

export type MsrRows = readonly (readonly [index: number, row: MsrRow])[];

/** An MSR that KVM keeps has this value from now on. Returns the fact's sequence number. */
export const setMsr = (kvm: KvmContext, vcpu: VcpuState, index: number, data: bigint): number =>
  kvm.raise({ kind: 'sim:msr_set', vcpu_id: vcpu.index, index, data });
