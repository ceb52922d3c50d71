import type { KvmContext } from '../context.ts';
import { EINVAL } from '../../base/errno.ts';
import { guestHas, offers } from '../vcpu/features.ts';
import type { CpuidTable } from './ioctls.ts';
import { updateCr4Owner } from '../vcpu/mode.ts';
import type { VcpuState } from '../state.ts';
import { packCpuid } from './structs.ts';
import { SECONDARY } from '../../x86/controls.ts';
import { loadedVmcs, writeVmcs } from '../vmcs/controls.ts';

const { RDTSCP, INVPCID, RDRAND_EXITING, RDSEED_EXITING } = SECONDARY;
const BY_FEATURE = RDTSCP | INVPCID | RDRAND_EXITING | RDSEED_EXITING;

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
  const enabled = (hasPid ? RDTSCP : 0) | (guestHas(vcpu, 7, 'ebx', 10) ? INVPCID : 0);
  const exiting =
    (guestHas(vcpu, 1, 'ecx', 30) ? 0 : RDRAND_EXITING) | (guestHas(vcpu, 7, 'ebx', 18) ? 0 : RDSEED_EXITING);
  writeVmcs(set, loadedVmcs(vcpu), 'secondary', (loadedVmcs(vcpu).secondary & ~BY_FEATURE) | enabled | exiting);
  return 0;
}
