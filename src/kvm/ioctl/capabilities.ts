import { VCPUS_MAX } from '../../x86/guest.ts';

/** KVM_CHECK_EXTENSION: what this KVM can do, by capability number. Linux include/uapi/linux/kvm.h. */
const PRESENT: readonly number[] = [
  0, // IRQCHIP
  1, // HLT
  3, // USER_MEMORY
  4, // SET_TSS_ADDR
  6, // VAPIC
  7, // EXT_CPUID
  8, // CLOCKSOURCE
  11, // PIT
  12, // NOP_IO_DELAY
  14, // MP_STATE
  16, // SYNC_MMU
  21, // DESTROY_MEMORY_REGION_WORKS
  22, // USER_NMI
  23, // SET_GUEST_DEBUG
  24, // REINJECT_CONTROL
  26, // IRQ_INJECT_STATUS
  30, // JOIN_MEMORY_REGIONS_WORKS
  32, // IRQFD
  33, // PIT2
  34, // SET_BOOT_CPU_ID
  35, // PIT_STATE2
  36, // IOEVENTFD
  37, // SET_IDENTITY_MAP_ADDR
  39, // ADJUST_CLOCK
  41, // VCPU_EVENTS
  50, // DEBUGREGS
  51, // X86_ROBUST_SINGLESTEP
  54, // ENABLE_CAP
  55, // XSAVE
  56, // XCRS
  61, // GET_TSC_KHZ
  72, // TSC_DEADLINE_TIMER
  76, // KVMCLOCK_CTRL
  77, // SIGNAL_MSI
  81, // READONLY_MEM
  82, // IRQFD_RESAMPLE
  89, // DEVICE_CTRL
  98, // ENABLE_CAP_VM
  122, // IOEVENTFD_ANY_LENGTH
  127, // VCPU_ATTRIBUTES
  136, // IMMEDIATE_EXIT
  162, // COALESCED_PIO
  164, // EXCEPTION_PAYLOAD
  188, // X86_USER_SPACE_MSR
  189, // X86_MSR_FILTER
  209, // SYS_ATTRIBUTES
  218, // X86_TRIPLE_FAULT_EVENT
];

/** Capabilities that answer with a quantity. */
const QUANTITIES: Readonly<Record<number, number>> = {
  9: 4, // NR_VCPUS recommended
  10: 32764, // NR_MEMSLOTS
  15: 2, // COALESCED_MMIO: the ring's page in a vCPU's mmap
  25: 4096, // IRQ_ROUTING
  31: 32, // MCE banks
  66: VCPUS_MAX, // MAX_VCPUS
  128: VCPUS_MAX, // MAX_VCPU_ID
  168: 3, // MANUAL_DIRTY_LOG_PROTECT2: the options there are
};

/** Capabilities KVM_ENABLE_CAP takes: exception payload, manual dirty log, user-space MSRs, triple fault event. */
const ENABLEABLE: readonly number[] = [164, 168, 188, 218];

/** The answer to KVM_CHECK_EXTENSION; 0: not there. */
export function checkExtension(capability: number): number {
  return QUANTITIES[capability] ?? (PRESENT.includes(capability) ? 1 : 0);
}

/** Whether KVM_ENABLE_CAP knows a capability and this first argument of it. */
export function isEnableable(capability: number, argument: number): boolean {
  const valid = ARGUMENT_BITS[capability];
  return ENABLEABLE.includes(capability) && (valid === undefined || (argument & ~valid) === 0);
}

/** Bits the argument may have: user-space MSR reasons 0 to 2, manual dirty log and its initial state. */
const ARGUMENT_BITS: Readonly<Record<number, number>> = { 168: 3, 188: 7 };
