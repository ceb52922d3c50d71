import type { KvmHost } from './api.ts';
import type { CpuFeatures } from './cpuid.ts';
import type { Guest } from './guest.ts';
import type { IrqEffects } from './irqchip/effects.ts';
import type { KvmState, VcpuState, VmState } from './state.ts';

/** What every part of KVM works on. `state` is looked up anew each time: a restored checkpoint replaces it. */
export interface KvmContext {
  readonly guest: Guest;
  readonly host: KvmHost;
  readonly features: CpuFeatures;
  readonly irq: IrqEffects;
  state: KvmState;
}

/** The VM; there is one for each `createKvm`, made by KVM_CREATE_VM. */
export function vmOf(kvm: KvmContext): VmState {
  return kvm.state.vm!;
}

/** KVM_REQ_*: work to do before the next VM entry. Linux arch/x86/include/asm/kvm_host.h. */
export const REQ_EVENT = 1;
export const REQ_CLOCK_UPDATE = 2;
export const REQ_MASTERCLOCK_UPDATE = 4;
export const REQ_STEAL_UPDATE = 8;
export const REQ_TRIPLE_FAULT = 16;
export const REQ_TLB_FLUSH = 32;
export const REQ_LOAD_MMU_PGD = 64;
export const REQ_GLOBAL_CLOCK_UPDATE = 128;
export const REQ_NMI = 256;

/** kvm_make_request. */
export function request(vcpu: VcpuState, requests: number): void {
  vcpu.requests |= requests;
}

/** kvm_make_all_cpus_request. */
export function requestAll(kvm: KvmContext, requests: number): void {
  for (const vcpu of kvm.state.vcpus) vcpu.requests |= requests;
}
