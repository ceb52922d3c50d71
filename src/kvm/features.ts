import { findCpuid } from './cpuid.ts';
import type { VcpuState } from './state.ts';

/** Whether the CPUID user space gave this vCPU offers a feature (guest_cpuid_has). */
export function guestHas(vcpu: VcpuState, leaf: number, register: 'eax' | 'ebx' | 'ecx' | 'edx', bit: number): boolean {
  const entry = findCpuid(vcpu.cpuid, leaf, 0);
  return entry !== undefined && bit < 32 && ((entry[register] >>> bit) & 1) !== 0;
}

const NOT_ANNOUNCED = 36;

/** MAXPHYADDR as the guest was told it: what KVM's checks of guest-physical addresses go by. SDM Vol. 3A, 4.1.4. */
export function guestPhysicalBits(vcpu: VcpuState): number {
  return (findCpuid(vcpu.cpuid, 0x80000008, 0)?.eax ?? NOT_ANNOUNCED) & 0xff;
}
