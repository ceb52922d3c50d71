import { findCpuid } from './cpuid.ts';
import type { CpuidEntry } from '../ioctl/ioctls.ts';
import type { VcpuState } from '../state.ts';

type CpuidRegister = 'eax' | 'ebx' | 'ecx' | 'edx';

/** Whether a table of CPUID leaves offers a feature. */
export function offers(entries: readonly CpuidEntry[], leaf: number, register: CpuidRegister, bit: number): boolean {
  const entry = findCpuid(entries, leaf, 0);
  return entry !== undefined && bit < 32 && ((entry[register] >>> bit) & 1) !== 0;
}

/** Whether the CPUID user space gave this vCPU offers a feature (guest_cpuid_has). */
export const guestHas = (vcpu: VcpuState, leaf: number, register: CpuidRegister, bit: number): boolean =>
  offers(vcpu.cpuid, leaf, register, bit);

const NOT_ANNOUNCED = 36;

/** MAXPHYADDR as the guest was told it: what KVM's checks of guest-physical addresses go by. SDM Vol. 3A, 4.1.4. */
export function guestPhysicalBits(vcpu: VcpuState): number {
  return (findCpuid(vcpu.cpuid, 0x80000008, 0)?.eax ?? NOT_ANNOUNCED) & 0xff;
}
