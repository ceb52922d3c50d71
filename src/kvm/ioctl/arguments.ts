/** What each request is given, by its number. Linux Documentation/virt/kvm/api.rst. */
import type { KvmRunAnswer } from './run-answer.ts';
import type { GsiRoutingEntry } from '../irqchip/routes.ts';
import * as io from './ioctls.ts';

/** A request without an argument; QEMU gives some of them 0. */
type Nothing = 0 | undefined;

/** Out-parameters are changed in place. Every request returns 0 or more, or a negative errno. */
export interface IoctlArguments {
  [io.KVM_GET_API_VERSION]: Nothing;
  [io.KVM_CREATE_VM]: Nothing;
  [io.KVM_GET_MSR_INDEX_LIST]: io.MsrIndexList;
  [io.KVM_CHECK_EXTENSION]: number;
  [io.KVM_GET_VCPU_MMAP_SIZE]: Nothing;
  [io.KVM_GET_SUPPORTED_CPUID]: io.CpuidTable;
  [io.KVM_GET_EMULATED_CPUID]: io.CpuidTable;
  [io.KVM_GET_MSR_FEATURE_INDEX_LIST]: io.MsrIndexList;
  [io.KVM_X86_GET_MCE_CAP_SUPPORTED]: { cap: bigint };
  [io.KVM_CREATE_VCPU]: number;
  [io.KVM_GET_DIRTY_LOG]: io.DirtyLog;
  [io.KVM_CLEAR_DIRTY_LOG]: io.DirtyLog;
  [io.KVM_SET_USER_MEMORY_REGION]: io.UserMemoryRegion;
  [io.KVM_SET_TSS_ADDR]: number;
  [io.KVM_SET_IDENTITY_MAP_ADDR]: number;
  [io.KVM_SET_BOOT_CPU_ID]: number;
  [io.KVM_CREATE_IRQCHIP]: Nothing;
  [io.KVM_IRQ_LINE]: io.IrqLevel;
  [io.KVM_IRQ_LINE_STATUS]: io.IrqLevel;
  /** struct kvm_irqchip: the state of chip 0 and 1 (PICs) or 2 (IOAPIC). */
  [io.KVM_GET_IRQCHIP]: { chipId: number; state?: unknown };
  [io.KVM_SET_IRQCHIP]: { chipId: number; state?: unknown };
  [io.KVM_REGISTER_COALESCED_MMIO]: io.CoalescedZone;
  [io.KVM_UNREGISTER_COALESCED_MMIO]: io.CoalescedZone;
  [io.KVM_SET_GSI_ROUTING]: { entries: readonly GsiRoutingEntry[] };
  [io.KVM_REINJECT_CONTROL]: { pitReinject: boolean };
  [io.KVM_IRQFD]: io.Irqfd;
  [io.KVM_CREATE_PIT2]: { flags: number };
  [io.KVM_IOEVENTFD]: io.Ioeventfd;
  [io.KVM_SET_CLOCK]: io.ClockData;
  [io.KVM_GET_CLOCK]: io.ClockData;
  [io.KVM_GET_PIT2]: object;
  [io.KVM_SET_PIT2]: object;
  [io.KVM_SIGNAL_MSI]: io.Msi;
  [io.KVM_X86_SET_MSR_FILTER]: io.MsrFilter;
  [io.KVM_CREATE_DEVICE]: object | undefined;
  [io.KVM_SET_DEVICE_ATTR]: io.DeviceAttribute;
  [io.KVM_HAS_DEVICE_ATTR]: io.DeviceAttribute;
  [io.KVM_GET_DEVICE_ATTR]: io.DeviceAttribute;
  [io.KVM_RUN]: KvmRunAnswer | undefined;
  [io.KVM_GET_REGS]: io.Regs;
  [io.KVM_SET_REGS]: io.Regs;
  [io.KVM_GET_SREGS]: io.Sregs;
  [io.KVM_SET_SREGS]: io.Sregs;
  [io.KVM_GET_SREGS2]: io.Sregs;
  [io.KVM_SET_SREGS2]: io.Sregs;
  [io.KVM_TRANSLATE]: io.Translation;
  [io.KVM_INTERRUPT]: { irq: number };
  [io.KVM_GET_MSRS]: io.MsrList;
  [io.KVM_SET_MSRS]: io.MsrList;
  [io.KVM_SET_CPUID]: io.CpuidTable;
  [io.KVM_SET_CPUID2]: io.CpuidTable;
  [io.KVM_GET_CPUID2]: io.CpuidTable;
  [io.KVM_SET_SIGNAL_MASK]: object | undefined;
  [io.KVM_GET_FPU]: io.Xsave;
  [io.KVM_SET_FPU]: io.Xsave;
  [io.KVM_GET_LAPIC]: io.LapicRegisters;
  [io.KVM_SET_LAPIC]: io.LapicRegisters;
  [io.KVM_TPR_ACCESS_REPORTING]: object | undefined;
  [io.KVM_SET_VAPIC_ADDR]: object | undefined;
  [io.KVM_GET_MP_STATE]: io.MpState;
  [io.KVM_SET_MP_STATE]: io.MpState;
  [io.KVM_NMI]: Nothing;
  [io.KVM_SET_GUEST_DEBUG]: io.GuestDebug;
  [io.KVM_X86_SETUP_MCE]: bigint;
  [io.KVM_GET_VCPU_EVENTS]: io.VcpuEvents;
  [io.KVM_SET_VCPU_EVENTS]: io.VcpuEvents;
  [io.KVM_GET_DEBUGREGS]: io.DebugRegs;
  [io.KVM_SET_DEBUGREGS]: io.DebugRegs;
  [io.KVM_SET_TSC_KHZ]: number;
  [io.KVM_GET_TSC_KHZ]: Nothing;
  [io.KVM_ENABLE_CAP]: io.EnableCap;
  [io.KVM_GET_XSAVE]: io.Xsave;
  [io.KVM_SET_XSAVE]: io.Xsave;
  [io.KVM_GET_XSAVE2]: io.Xsave;
  [io.KVM_GET_XCRS]: io.Xcrs;
  [io.KVM_SET_XCRS]: io.Xcrs;
  [io.KVM_KVMCLOCK_CTRL]: Nothing;
}

/** A request's number. */
export type IoctlRequest = keyof IoctlArguments;

/** Requests that may come without an argument. */
export type BareRequest = {
  [R in IoctlRequest]: undefined extends IoctlArguments[R] ? R : never;
}[IoctlRequest];

/** What comes after the request in a call: nothing, where nothing need be given. */
export type IoctlArgument<R extends IoctlRequest> = undefined extends IoctlArguments[R]
  ? readonly [arg?: IoctlArguments[R]]
  : readonly [arg: IoctlArguments[R]];

/** The requests a descriptor answers, by number; `Before`: what a handler is given before the argument. */
export type IoctlTable<Before extends readonly unknown[]> = {
  readonly [R in IoctlRequest]?: (...given: [...Before, IoctlArguments[R]]) => number;
};
