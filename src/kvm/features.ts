import { findCpuid } from './cpuid.ts';
import type { VcpuState } from './state.ts';

/** Whether the CPUID user space gave this vCPU offers a feature (guest_cpuid_has). */
export function guestHas(vcpu: VcpuState, leaf: number, register: 'eax' | 'ebx' | 'ecx' | 'edx', bit: number): boolean {
  const entry = findCpuid(vcpu.cpuid, leaf, 0);
  return entry !== undefined && bit < 32 && ((entry[register] >>> bit) & 1) !== 0;
}
