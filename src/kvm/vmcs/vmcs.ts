import type { ExecutionControls } from '../../x86/guest.ts';

/** Fields of a VMCS that KVM changes while the guest lives. SDM Vol. 3, 26.4 and 26.6 to 26.8. */
export interface VmcsControls extends Omit<ExecutionControls, 'ioBitmap' | 'msrBitmap'> {
  readonly exit: number;
  readonly entry: number;
  /** CR0 as the guest sees it; bits the guest owns may be stale. */
  readonly cr0Shadow: bigint;
  /** CR4 as the guest sees it; bits the guest owns may be stale. */
  readonly cr4Shadow: bigint;
  readonly guestEfer: bigint;
  readonly vpid: number;
}

/** The VMCSs of one vCPU. Linux struct vcpu_vmx: 01 is what L0 runs L1 with. */
export type VmcsName = 'vmcs01';

/** A VMCS as a value: its controls, and which it is. */
export interface Vmcs extends VmcsControls {
  readonly name: VmcsName;
  /** The vCPU it belongs to. */
  readonly vcpu: number;
}
