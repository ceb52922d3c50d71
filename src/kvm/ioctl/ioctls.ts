/**
 * Requests, argument shapes and constants of /dev/kvm, its VMs and its vCPUs.
 * Linux include/uapi/linux/kvm.h and Documentation/virt/kvm/api.rst.
 */
import type { Gpa, Hva } from '../../base/units.ts';
import type { Segment } from '../../x86/guest.ts';

export const KVM_GET_API_VERSION = 0xae00;
export const KVM_CREATE_VM = 0xae01;
export const KVM_GET_MSR_INDEX_LIST = 0xc004ae02;
export const KVM_CHECK_EXTENSION = 0xae03;
export const KVM_GET_VCPU_MMAP_SIZE = 0xae04;
export const KVM_GET_SUPPORTED_CPUID = 0xc008ae05;
export const KVM_GET_EMULATED_CPUID = 0xc008ae09;
export const KVM_GET_MSR_FEATURE_INDEX_LIST = 0xc004ae0a;

export const KVM_CREATE_VCPU = 0xae41;
export const KVM_GET_DIRTY_LOG = 0x4010ae42;
export const KVM_SET_USER_MEMORY_REGION = 0x4020ae46;
export const KVM_SET_TSS_ADDR = 0xae47;
export const KVM_SET_IDENTITY_MAP_ADDR = 0x4008ae48;
export const KVM_SET_BOOT_CPU_ID = 0xae78;
export const KVM_CREATE_IRQCHIP = 0xae60;
export const KVM_IRQ_LINE = 0x4008ae61;
export const KVM_GET_IRQCHIP = 0xc208ae62;
export const KVM_SET_IRQCHIP = 0x8208ae63;
export const KVM_IRQ_LINE_STATUS = 0xc008ae67;
export const KVM_REGISTER_COALESCED_MMIO = 0x4010ae67;
export const KVM_UNREGISTER_COALESCED_MMIO = 0x4010ae68;
export const KVM_SET_GSI_ROUTING = 0x4008ae6a;
export const KVM_REINJECT_CONTROL = 0xae71;
export const KVM_IRQFD = 0x4020ae76;
export const KVM_CREATE_PIT2 = 0x4040ae77;
export const KVM_IOEVENTFD = 0x4040ae79;
export const KVM_SET_CLOCK = 0x4030ae7b;
export const KVM_GET_CLOCK = 0x8030ae7c;
export const KVM_GET_PIT2 = 0x8070ae9f;
export const KVM_SET_PIT2 = 0x4070aea0;
export const KVM_SIGNAL_MSI = 0x4020aea5;
export const KVM_CLEAR_DIRTY_LOG = 0xc018aec0;
export const KVM_X86_SET_MSR_FILTER = 0x4188aec6;
export const KVM_CREATE_DEVICE = 0xc00caee0;
export const KVM_SET_DEVICE_ATTR = 0x4018aee1;
export const KVM_HAS_DEVICE_ATTR = 0x4018aee3;
export const KVM_GET_DEVICE_ATTR = 0x4018aee2;

export const KVM_RUN = 0xae80;
export const KVM_GET_REGS = 0x8090ae81;
export const KVM_SET_REGS = 0x4090ae82;
export const KVM_GET_SREGS = 0x8138ae83;
export const KVM_SET_SREGS = 0x4138ae84;
export const KVM_TRANSLATE = 0xc018ae85;
export const KVM_INTERRUPT = 0x4004ae86;
export const KVM_GET_MSRS = 0xc008ae88;
export const KVM_SET_MSRS = 0x4008ae89;
export const KVM_SET_CPUID = 0x4008ae8a;
export const KVM_SET_SIGNAL_MASK = 0x4004ae8b;
export const KVM_GET_FPU = 0x81a0ae8c;
export const KVM_SET_FPU = 0x41a0ae8d;
export const KVM_GET_LAPIC = 0x8400ae8e;
export const KVM_SET_LAPIC = 0x4400ae8f;
export const KVM_SET_CPUID2 = 0x4008ae90;
export const KVM_GET_CPUID2 = 0xc008ae91;
export const KVM_TPR_ACCESS_REPORTING = 0xc028ae92;
export const KVM_SET_VAPIC_ADDR = 0x4008ae93;
export const KVM_GET_MP_STATE = 0x8004ae98;
export const KVM_SET_MP_STATE = 0x4004ae99;
export const KVM_NMI = 0xae9a;
export const KVM_SET_GUEST_DEBUG = 0x4048ae9b;
export const KVM_X86_SETUP_MCE = 0x4008ae9c;
export const KVM_X86_GET_MCE_CAP_SUPPORTED = 0x8008ae9d;
export const KVM_GET_VCPU_EVENTS = 0x8040ae9f;
export const KVM_SET_VCPU_EVENTS = 0x4040aea0;
export const KVM_GET_DEBUGREGS = 0x8080aea1;
export const KVM_SET_DEBUGREGS = 0x4080aea2;
export const KVM_SET_TSC_KHZ = 0xaea2;
export const KVM_GET_TSC_KHZ = 0xaea3;
export const KVM_ENABLE_CAP = 0x4068aea3;
export const KVM_GET_XSAVE = 0x9000aea4;
export const KVM_SET_XSAVE = 0x5000aea5;
export const KVM_GET_XCRS = 0x8188aea6;
export const KVM_SET_XCRS = 0x4188aea7;
export const KVM_KVMCLOCK_CTRL = 0xaead;
export const KVM_GET_SREGS2 = 0x8140aecc;
export const KVM_SET_SREGS2 = 0x4140aecd;
export const KVM_GET_XSAVE2 = 0x9000aecf;

/** Which file descriptors answer a request, and its name. */
export interface IoctlName {
  readonly name: string;
  readonly on: string;
}

const named = (on: string, name: string): IoctlName => ({ on, name });

/** Every request, for the trace and for telling ENOTTY from EINVAL. */
export const IOCTLS: Readonly<Record<number, IoctlName>> = {
  [KVM_GET_API_VERSION]: named('kvm', 'KVM_GET_API_VERSION'),
  [KVM_CREATE_VM]: named('kvm', 'KVM_CREATE_VM'),
  [KVM_GET_MSR_INDEX_LIST]: named('kvm', 'KVM_GET_MSR_INDEX_LIST'),
  [KVM_CHECK_EXTENSION]: named('kvm vm', 'KVM_CHECK_EXTENSION'),
  [KVM_GET_VCPU_MMAP_SIZE]: named('kvm', 'KVM_GET_VCPU_MMAP_SIZE'),
  [KVM_GET_SUPPORTED_CPUID]: named('kvm', 'KVM_GET_SUPPORTED_CPUID'),
  [KVM_GET_EMULATED_CPUID]: named('kvm', 'KVM_GET_EMULATED_CPUID'),
  [KVM_GET_MSR_FEATURE_INDEX_LIST]: named('kvm', 'KVM_GET_MSR_FEATURE_INDEX_LIST'),
  [KVM_CREATE_VCPU]: named('vm', 'KVM_CREATE_VCPU'),
  [KVM_GET_DIRTY_LOG]: named('vm', 'KVM_GET_DIRTY_LOG'),
  [KVM_SET_USER_MEMORY_REGION]: named('vm', 'KVM_SET_USER_MEMORY_REGION'),
  [KVM_SET_TSS_ADDR]: named('vm', 'KVM_SET_TSS_ADDR'),
  [KVM_SET_IDENTITY_MAP_ADDR]: named('vm', 'KVM_SET_IDENTITY_MAP_ADDR'),
  [KVM_SET_BOOT_CPU_ID]: named('vm', 'KVM_SET_BOOT_CPU_ID'),
  [KVM_CREATE_IRQCHIP]: named('vm', 'KVM_CREATE_IRQCHIP'),
  [KVM_IRQ_LINE]: named('vm', 'KVM_IRQ_LINE'),
  [KVM_GET_IRQCHIP]: named('vm', 'KVM_GET_IRQCHIP'),
  [KVM_SET_IRQCHIP]: named('vm', 'KVM_SET_IRQCHIP'),
  [KVM_IRQ_LINE_STATUS]: named('vm', 'KVM_IRQ_LINE_STATUS'),
  [KVM_REGISTER_COALESCED_MMIO]: named('vm', 'KVM_REGISTER_COALESCED_MMIO'),
  [KVM_UNREGISTER_COALESCED_MMIO]: named('vm', 'KVM_UNREGISTER_COALESCED_MMIO'),
  [KVM_SET_GSI_ROUTING]: named('vm', 'KVM_SET_GSI_ROUTING'),
  [KVM_REINJECT_CONTROL]: named('vm', 'KVM_REINJECT_CONTROL'),
  [KVM_IRQFD]: named('vm', 'KVM_IRQFD'),
  [KVM_CREATE_PIT2]: named('vm', 'KVM_CREATE_PIT2'),
  [KVM_IOEVENTFD]: named('vm', 'KVM_IOEVENTFD'),
  [KVM_SET_CLOCK]: named('vm', 'KVM_SET_CLOCK'),
  [KVM_GET_CLOCK]: named('vm', 'KVM_GET_CLOCK'),
  [KVM_GET_PIT2]: named('vm', 'KVM_GET_PIT2'),
  [KVM_SET_PIT2]: named('vm', 'KVM_SET_PIT2'),
  [KVM_SIGNAL_MSI]: named('vm', 'KVM_SIGNAL_MSI'),
  [KVM_CLEAR_DIRTY_LOG]: named('vm', 'KVM_CLEAR_DIRTY_LOG'),
  [KVM_X86_SET_MSR_FILTER]: named('vm', 'KVM_X86_SET_MSR_FILTER'),
  [KVM_CREATE_DEVICE]: named('vm', 'KVM_CREATE_DEVICE'),
  [KVM_HAS_DEVICE_ATTR]: named('kvm vm vcpu', 'KVM_HAS_DEVICE_ATTR'),
  [KVM_SET_DEVICE_ATTR]: named('kvm vm vcpu', 'KVM_SET_DEVICE_ATTR'),
  [KVM_GET_DEVICE_ATTR]: named('kvm vm vcpu', 'KVM_GET_DEVICE_ATTR'),
  [KVM_RUN]: named('vcpu', 'KVM_RUN'),
  [KVM_GET_REGS]: named('vcpu', 'KVM_GET_REGS'),
  [KVM_SET_REGS]: named('vcpu', 'KVM_SET_REGS'),
  [KVM_GET_SREGS]: named('vcpu', 'KVM_GET_SREGS'),
  [KVM_SET_SREGS]: named('vcpu', 'KVM_SET_SREGS'),
  [KVM_TRANSLATE]: named('vcpu', 'KVM_TRANSLATE'),
  [KVM_INTERRUPT]: named('vcpu', 'KVM_INTERRUPT'),
  [KVM_GET_MSRS]: named('kvm vcpu', 'KVM_GET_MSRS'),
  [KVM_SET_MSRS]: named('vcpu', 'KVM_SET_MSRS'),
  [KVM_SET_CPUID]: named('vcpu', 'KVM_SET_CPUID'),
  [KVM_SET_SIGNAL_MASK]: named('vcpu', 'KVM_SET_SIGNAL_MASK'),
  [KVM_GET_FPU]: named('vcpu', 'KVM_GET_FPU'),
  [KVM_SET_FPU]: named('vcpu', 'KVM_SET_FPU'),
  [KVM_GET_LAPIC]: named('vcpu', 'KVM_GET_LAPIC'),
  [KVM_SET_LAPIC]: named('vcpu', 'KVM_SET_LAPIC'),
  [KVM_SET_CPUID2]: named('vcpu', 'KVM_SET_CPUID2'),
  [KVM_GET_CPUID2]: named('vcpu', 'KVM_GET_CPUID2'),
  [KVM_TPR_ACCESS_REPORTING]: named('vcpu', 'KVM_TPR_ACCESS_REPORTING'),
  [KVM_SET_VAPIC_ADDR]: named('vcpu', 'KVM_SET_VAPIC_ADDR'),
  [KVM_GET_MP_STATE]: named('vcpu', 'KVM_GET_MP_STATE'),
  [KVM_SET_MP_STATE]: named('vcpu', 'KVM_SET_MP_STATE'),
  [KVM_NMI]: named('vcpu', 'KVM_NMI'),
  [KVM_SET_GUEST_DEBUG]: named('vcpu', 'KVM_SET_GUEST_DEBUG'),
  [KVM_X86_SETUP_MCE]: named('vcpu', 'KVM_X86_SETUP_MCE'),
  [KVM_X86_GET_MCE_CAP_SUPPORTED]: named('kvm', 'KVM_X86_GET_MCE_CAP_SUPPORTED'),
  [KVM_GET_VCPU_EVENTS]: named('vcpu', 'KVM_GET_VCPU_EVENTS'),
  [KVM_SET_VCPU_EVENTS]: named('vcpu', 'KVM_SET_VCPU_EVENTS'),
  [KVM_GET_DEBUGREGS]: named('vcpu', 'KVM_GET_DEBUGREGS'),
  [KVM_SET_DEBUGREGS]: named('vcpu', 'KVM_SET_DEBUGREGS'),
  [KVM_SET_TSC_KHZ]: named('vcpu vm', 'KVM_SET_TSC_KHZ'),
  [KVM_GET_TSC_KHZ]: named('vcpu vm', 'KVM_GET_TSC_KHZ'),
  [KVM_ENABLE_CAP]: named('vm vcpu', 'KVM_ENABLE_CAP'),
  [KVM_GET_XSAVE]: named('vcpu', 'KVM_GET_XSAVE'),
  [KVM_SET_XSAVE]: named('vcpu', 'KVM_SET_XSAVE'),
  [KVM_GET_XCRS]: named('vcpu', 'KVM_GET_XCRS'),
  [KVM_SET_XCRS]: named('vcpu', 'KVM_SET_XCRS'),
  [KVM_KVMCLOCK_CTRL]: named('vcpu', 'KVM_KVMCLOCK_CTRL'),
  [KVM_GET_SREGS2]: named('vcpu', 'KVM_GET_SREGS2'),
  [KVM_SET_SREGS2]: named('vcpu', 'KVM_SET_SREGS2'),
  [KVM_GET_XSAVE2]: named('vcpu', 'KVM_GET_XSAVE2'),
};

/** KVM_SET_USER_MEMORY_REGION flags. */
export const KVM_MEM_LOG_DIRTY_PAGES = 1;
export const KVM_MEM_READONLY = 2;

/** struct kvm_userspace_memory_region. */
export interface UserMemoryRegion {
  slot: number;
  flags: number;
  guestPhysAddr: Gpa;
  memorySize: number;
  userspaceAddr: Hva;
}

/** struct kvm_dirty_log / kvm_clear_dirty_log: one bit per page, page 0 in bit 0 of byte 0. */
export interface DirtyLog {
  slot: number;
  bitmap: Uint8Array;
  firstPage?: number;
  numPages?: number;
}

/** struct kvm_irq_level; `status` is an out-parameter of KVM_IRQ_LINE_STATUS. */
export interface IrqLevel {
  irq: number;
  level: number;
  status?: number;
}

/** struct kvm_irqfd. Flags: 1 deassign, 2 resample. */
export interface Irqfd {
  fd: number;
  gsi: number;
  flags: number;
  resamplefd?: number;
}

/** struct kvm_ioeventfd. Flags: 1 datamatch, 2 PIO, 4 deassign. */
export interface Ioeventfd {
  datamatch: bigint;
  addr: number;
  len: number;
  fd: number;
  flags: number;
}

/** struct kvm_cpuid_entry2. Flag 1: the index is significant. */
export interface CpuidEntry {
  function: number;
  index: number;
  flags: number;
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

/** struct kvm_cpuid2: `entries` is filled by the GET requests. */
export interface CpuidTable {
  entries: CpuidEntry[];
}

/** struct kvm_msrs. */
export interface MsrList {
  entries: { index: number; data: bigint }[];
}

/** struct kvm_msr_list. */
export interface MsrIndexList {
  indices: number[];
}

/** struct kvm_regs. */
export interface Regs {
  rax: bigint;
  rbx: bigint;
  rcx: bigint;
  rdx: bigint;
  rsi: bigint;
  rdi: bigint;
  rsp: bigint;
  rbp: bigint;
  r8: bigint;
  r9: bigint;
  r10: bigint;
  r11: bigint;
  r12: bigint;
  r13: bigint;
  r14: bigint;
  r15: bigint;
  rip: bigint;
  rflags: bigint;
}

/** struct kvm_dtable. */
export interface DescriptorTable {
  base: bigint;
  limit: number;
}

/** struct kvm_sregs and kvm_sregs2; segments carry VMX access rights. */
export interface Sregs {
  cs: Segment;
  ds: Segment;
  es: Segment;
  fs: Segment;
  gs: Segment;
  ss: Segment;
  tr: Segment;
  ldt: Segment;
  gdt: DescriptorTable;
  idt: DescriptorTable;
  cr0: bigint;
  cr2: bigint;
  cr3: bigint;
  cr4: bigint;
  cr8: number;
  efer: bigint;
  apicBase: bigint;
  /** kvm_sregs: a user-space interrupt controller's pending vector, or -1. */
  interrupt?: number;
}

/** struct kvm_vcpu_events. */
export interface VcpuEvents {
  exception: {
    injected: boolean;
    pending: boolean;
    nr: number;
    hasErrorCode: boolean;
    errorCode: number;
    payload: bigint | undefined;
  };
  interrupt: { injected: boolean; nr: number; soft: boolean; shadow: number };
  nmi: { injected: boolean; pending: boolean; masked: boolean };
  sipiVector: number;
  tripleFault: boolean;
  /** KVM_VCPUEVENT_VALID_*: 1 NMI pending, 2 SIPI vector, 4 shadow, 16 payload, 32 triple fault. */
  flags: number;
}

/** struct kvm_debugregs. */
export interface DebugRegs {
  db: bigint[];
  dr6: bigint;
  dr7: bigint;
}

/** struct kvm_mp_state: 0 runnable, 1 uninitialized, 2 INIT received, 3 halted, 4 SIPI received. */
export interface MpState {
  mpState: number;
}

/** struct kvm_xsave: the standard format. */
export interface Xsave {
  region: Uint8Array;
}

/** struct kvm_xcrs. */
export interface Xcrs {
  xcrs: { xcr: number; value: bigint }[];
}

/** struct kvm_clock_data: nanoseconds. */
export interface ClockData {
  clock: bigint;
  flags: number;
  realtime?: bigint;
  hostTsc?: bigint;
}

/** struct kvm_enable_cap. */
export interface EnableCap {
  cap: number;
  flags?: number;
  args: bigint[];
}

/** struct kvm_translation. */
export interface Translation {
  linearAddress: bigint;
  physicalAddress: number;
  valid: boolean;
  writeable: boolean;
  usermode: boolean;
}

/** struct kvm_guest_debug. Control: 1 enable, 2 single step, 0x10000 software breakpoints, 0x20000 hardware. */
export interface GuestDebug {
  control: number;
  debugreg: bigint[];
}

/** struct kvm_msr_filter. Flag 1: what no range says is denied. Range flags: 1 reads, 2 writes; a set bit allows. */
export interface MsrFilter {
  flags: number;
  ranges: { flags: number; nmsrs: number; base: number; bitmap: Uint8Array }[];
}

/** struct kvm_device_attr; `value` is what its `addr` points to. */
export interface DeviceAttribute {
  flags?: number;
  group: number;
  attr: number;
  value?: bigint;
}

/** struct kvm_msi. */
export interface Msi {
  addressLow: number;
  addressHigh: number;
  data: number;
}

/** Raw state image of KVM_GET/SET_LAPIC: 1 KiB of registers. */
export interface LapicRegisters {
  regs: Uint8Array;
}

/** struct kvm_coalesced_mmio_zone. */
export interface CoalescedZone {
  addr: number;
  size: number;
  pio: boolean;
}
