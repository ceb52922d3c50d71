import type { IOCTL_EVENTS } from '../../events/ioctl.ts';
import * as files from '../../kvm/evolve/files.ts';
import * as irqchip from '../../kvm/evolve/irqchip.ts';
import * as lapic from '../../kvm/evolve/lapic.ts';
import * as memslots from '../../kvm/evolve/memslots.ts';
import * as pit from '../../kvm/evolve/pit.ts';
import * as runPage from '../../kvm/evolve/run-page.ts';
import * as vcpu from '../../kvm/evolve/vcpu.ts';
import * as vm from '../../kvm/evolve/vm.ts';
import { changes, kvm, reaching, type Rows, RUN_PAGE, tells } from '../row.ts';

/** What is set one by one (MSRs, debug registers, XCR0, the TSC offset) comes as facts of its own. */
export const IOCTL_ROWS: Rows<keyof typeof IOCTL_EVENTS> = {
  'ioctl:KVM_CREATE_VM': changes(['files', 'vm'], kvm(vm.created)),
  'ioctl:KVM_CREATE_VCPU': changes(['files', 'ioapic', 'lapics', 'vcpus'], kvm(vm.vcpuCreated)),
  'ioctl:KVM_SET_USER_MEMORY_REGION': changes(['vm'], kvm(memslots.regionSet)),
  'ioctl:KVM_GET_DIRTY_LOG': changes(['vm'], kvm(memslots.logTaken)),
  'ioctl:KVM_CLEAR_DIRTY_LOG': changes(['vm'], kvm(memslots.logCleared)),
  'ioctl:KVM_SET_TSS_ADDR': changes(['vm'], kvm(vm.tssSet)),
  'ioctl:KVM_SET_IDENTITY_MAP_ADDR': changes(['vm'], kvm(vm.identityMapSet)),
  'ioctl:KVM_SET_BOOT_CPU_ID': changes(['vm'], kvm(vm.bootCpuSet)),
  'ioctl:KVM_CREATE_IRQCHIP': changes(['vm', 'pic', 'ioapic', 'lapics', 'pit'], kvm(irqchip.created)),
  'ioctl:KVM_SET_IRQCHIP': changes(['pic', 'ioapic', 'lapics', 'vcpus'], kvm(irqchip.restored)),
  'ioctl:KVM_SET_GSI_ROUTING': changes(['vm'], kvm(irqchip.routed)),
  'ioctl:KVM_IRQFD': changes(['vm', 'lapics'], kvm(files.irqfdSet)),
  'ioctl:KVM_IOEVENTFD': changes(['vm'], kvm(files.ioeventfdSet)),
  'ioctl:KVM_REGISTER_COALESCED_MMIO': changes(['vm'], kvm(files.zoneSet)),
  'ioctl:KVM_UNREGISTER_COALESCED_MMIO': changes(['vm'], kvm(files.zoneRemoved)),
  'ioctl:KVM_CREATE_PIT2': changes(['pit'], kvm(pit.created)),
  'ioctl:KVM_SET_PIT2': changes(['pit'], kvm(pit.restored)),
  'ioctl:KVM_REINJECT_CONTROL': changes(['pit'], kvm(pit.reinjectSet)),
  'ioctl:KVM_SET_CLOCK': changes(['vm'], kvm(vm.clockSet)),
  'ioctl:KVM_ENABLE_CAP': changes(['vm'], kvm(vm.capabilityEnabled)),
  'ioctl:KVM_X86_SET_MSR_FILTER': changes(['vm'], kvm(vm.filterSet)),
  'ioctl:KVM_RUN': reaching(() => RUN_PAGE, changes(['vcpu'], kvm(runPage.entered))),
  'ioctl:KVM_SET_REGS': changes(['vcpu'], kvm(vcpu.registersSet)),
  'ioctl:KVM_SET_SREGS2': changes(['vcpu'], kvm(vcpu.systemRegistersSet)),
  'ioctl:KVM_SET_MSRS': tells,
  'ioctl:KVM_SET_CPUID2': changes(['lapics', 'vcpus'], kvm(vcpu.cpuidSet)),
  'ioctl:KVM_SET_LAPIC': changes(['ioapic', 'lapics', 'vcpus'], kvm(lapic.restored)),
  'ioctl:KVM_SET_MP_STATE': changes(['vcpu'], kvm(vcpu.stateRestored)),
  'ioctl:KVM_NMI': tells,
  'ioctl:KVM_INTERRUPT': changes(['vcpu'], kvm(vcpu.interruptQueued)),
  'ioctl:KVM_SET_VCPU_EVENTS': changes(['vcpu'], kvm(vcpu.eventsSet)),
  'ioctl:KVM_SET_DEBUGREGS': tells,
  'ioctl:KVM_SET_XSAVE': tells,
  'ioctl:KVM_SET_FPU': tells,
  'ioctl:KVM_SET_XCRS': tells,
  'ioctl:KVM_KVMCLOCK_CTRL': changes(['vcpu'], kvm(vcpu.stoppedTold)),
  'ioctl:KVM_SET_GUEST_DEBUG': changes(['vcpu'], kvm(vcpu.debugSet)),
  'ioctl:KVM_SET_DEVICE_ATTR': tells,
  'ioctl:KVM_X86_SETUP_MCE': changes(['vcpu'], kvm(vcpu.mceSet)),
};
