import type { KvmContext } from '../context.ts';
import { EINVAL } from './errno.ts';
import { guestHas, offers } from '../vcpu/features.ts';
import type { CpuidTable } from './ioctls.ts';
import { updateCr4Owner } from '../vcpu/mode.ts';
import type { VcpuState } from '../state.ts';
import { packCpuid } from './structs.ts';
import {
  SECONDARY_INVPCID,
  SECONDARY_RDRAND,
  SECONDARY_RDSEED,
  SECONDARY_RDTSCP,
  writeControl,
} from '../vmcs/controls.ts';

const BY_FEATURE = SECONDARY_RDTSCP | SECONDARY_INVPCID | SECONDARY_RDRAND | SECONDARY_RDSEED;

/** KVM_SET_CPUID2, and what follows from the features the guest is promised. */
export function setCpuid(kvm: KvmContext, vcpu: VcpuState, { entries }: CpuidTable): number {
  if (vcpu.exits > 0) return -EINVAL;
  const set = kvm.after(
    kvm.raise({
      kind: 'ioctl:KVM_SET_CPUID2',
      vcpu_id: vcpu.index,
      entries: packCpuid(entries),
      x2apic: offers(entries, 1, 'ecx', 21),
      tsc_deadline: offers(entries, 1, 'ecx', 24),
      physical_bits: kvm.features.physicalBits,
    }),
  );
  updateCr4Owner(set, vcpu);
  const hasPid = guestHas(vcpu, 0x80000001, 'edx', 27) || guestHas(vcpu, 7, 'ecx', 22);
  const enabled = (hasPid ? SECONDARY_RDTSCP : 0) | (guestHas(vcpu, 7, 'ebx', 10) ? SECONDARY_INVPCID : 0);
  const exiting =
    (guestHas(vcpu, 1, 'ecx', 30) ? 0 : SECONDARY_RDRAND) | (guestHas(vcpu, 7, 'ebx', 18) ? 0 : SECONDARY_RDSEED);
  writeControl(set, vcpu, 'secondary', (vcpu.vmcs.secondary & ~BY_FEATURE) | enabled | exiting);
  return 0;
}
