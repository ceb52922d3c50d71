/** All state of KVM's half: plain values, complete. What decides reads it; only `evolve` changes it. */
import type { Gfn, Gpa, Hva, Ns, Seq, Tick } from '../base/units.ts';
import type { Timers } from '../events/timers.ts';
import type { CoalescedRing, KvmRun } from './api.ts';
import type { CpuidEntry } from './ioctl/ioctls.ts';
import type { IrqchipState } from './irqchip/state.ts';
import type { MmuRoot, RootKind } from './mmu/root.ts';
import type { Vmcs } from './vmcs/vmcs.ts';

/** A file descriptor's object. */
export type FileState =
  | { readonly kind: 'kvm' }
  | { readonly kind: 'vm' }
  | { readonly kind: 'vcpu'; readonly vcpu: number }
  /** An eventfd: its counter. */
  | { readonly kind: 'eventfd'; readonly count: number };

/** A memory slot. Frame numbers and page counts; Linux struct kvm_memory_slot. */
export interface MemslotState {
  readonly id: number;
  readonly flags: number;
  readonly baseGfn: Gfn;
  readonly npages: number;
  readonly hva: Hva;
  /** One bit per page when dirty pages are logged: 32 pages a word. */
  readonly dirty: readonly number[] | undefined;
}

/** An eventfd bound to a GSI. */
export interface IrqfdState {
  readonly fd: number;
  readonly gsi: number;
  readonly resamplefd: number | undefined;
}

/** An eventfd bound to an address the guest writes. */
export interface IoeventfdState {
  readonly fd: number;
  readonly addr: number;
  readonly len: number;
  readonly pio: boolean;
  /** undefined: any value. */
  readonly datamatch: bigint | undefined;
}

/** Eventfds bound to what the guest writes, by address: looked up at every access that exits. */
export interface IoeventfdsState {
  readonly pio: IoeventfdsByAddress;
  readonly mmio: IoeventfdsByAddress;
}

export type IoeventfdsByAddress = Readonly<Record<number, readonly IoeventfdState[]>>;

/** Addresses whose writes may wait for user space. */
export interface CoalescedZoneState {
  readonly addr: number;
  readonly size: number;
  readonly pio: boolean;
}

/** kvmclock of the VM: struct kvm_arch's clock fields. Virtual nanoseconds and host TSC. */
export interface VmClockState {
  /** Added to the host's boot-based clock to give the guest's. */
  readonly kvmclockOffset: number;
  readonly useMasterClock: boolean;
  readonly masterKernelNs: Ns;
  readonly masterTsc: bigint;
  readonly wallClockMsr: bigint;
}

/** KVM_X86_SET_MSR_FILTER. */
export interface MsrFilterState {
  /** What no range says. */
  readonly denies: boolean;
  /** A set bit allows; `flags`: 1 reads, 2 writes. */
  readonly ranges: readonly {
    readonly flags: number;
    readonly base: number;
    readonly nmsrs: number;
    readonly bitmap: readonly number[];
  }[];
}

/** KVM_SET_GUEST_DEBUG. */
export interface GuestDebugState {
  readonly control: number;
  /** Linear address from which user space steps. */
  readonly singleStepRip: bigint;
  /** The guest's DR0-3 and DR7 while the processor holds user space's. */
  readonly own: readonly bigint[] | undefined;
}

export interface VmState {
  readonly slots: readonly MemslotState[];
  /** Counts changes of the slots; cached MMIO entries of another generation are stale. */
  readonly generation: number;
  /** Linux kvm_arch.mmu_valid_gen: 0 or 1. */
  readonly validGen: number;
  readonly irqchip: IrqchipState | undefined;
  readonly irqfds: readonly IrqfdState[];
  readonly ioeventfds: IoeventfdsState;
  readonly coalesced: readonly CoalescedZoneState[];
  readonly ring: CoalescedRing;
  readonly msrFilter: MsrFilterState | undefined;
  readonly clock: VmClockState;
  /** Enabled capabilities' first argument by number. */
  readonly caps: Readonly<Record<number, number>>;
  readonly tssAddr: number;
  readonly identityMapAddr: number;
  readonly bootCpu: number;
  readonly tscKhz: number;
}

/** One page of EPT entries by index; what is absent is zero. Accessed and dirty bits are the processor's own. */
export type EptTable = Readonly<Record<number, bigint>>;

/** EPT: the pages in use and what KVM wrote into them. The processor walks a copy. */
export interface EptState {
  readonly roots: Readonly<Record<RootKind, MmuRoot>>;
  /** How many pages there are for tables. */
  readonly pages: number;
  /** Pages handed out so far. */
  readonly next: number;
  /** Host-physical addresses of pages given back. */
  readonly free: readonly number[];
  readonly used: number;
  /** By host-physical address. */
  readonly tables: Readonly<Record<number, EptTable>>;
}

/** A queued exception: Linux struct kvm_queued_exception. */
export interface ExceptionState {
  readonly pending: boolean;
  readonly injected: boolean;
  readonly vector: number;
  readonly hasError: boolean;
  readonly errorCode: number;
  /** DR6 bits of #DB, CR2 of #PF: written when the exception is delivered. */
  readonly payload: bigint | undefined;
  /** Sequence number of what made it; of its injection once there was one. -1: none. */
  readonly cause: Seq;
}

/** An interrupt between INTA and its delivery. */
export interface InterruptState {
  readonly injected: boolean;
  readonly vector: number;
  readonly soft: boolean;
  readonly cause: Seq;
}

export interface PendingEvents {
  readonly exception: ExceptionState;
  readonly interrupt: InterruptState;
  readonly nmi: { readonly pending: number; readonly injected: boolean; readonly cause: Seq };
  /** Length of the instruction behind a software interrupt or exception that is injected again. */
  readonly instructionLength: number;
  readonly initPending: boolean;
  readonly sipiPending: boolean;
  readonly sipiVector: number;
  /** Sequence number of the INIT or start-up message. */
  readonly startCause: number;
  readonly unhalted: boolean;
}

export interface MsrState {
  readonly miscEnable: bigint;
  readonly mcgCap: bigint;
  readonly mcgStatus: bigint;
  readonly mcgCtl: bigint;
  readonly mcBanks: readonly bigint[];
  readonly featureControl: bigint;
  readonly smbase: bigint;
  readonly mtrrDefType: bigint;
  readonly mtrrFixed: readonly bigint[];
  readonly mtrrVariable: readonly bigint[];
  readonly ucodeRev: bigint;
  readonly archCapabilities: bigint;
  readonly platformInfo: bigint;
  readonly miscFeatures: bigint;
  readonly specCtrl: bigint;
  readonly powerCtl: bigint;
}

export interface TscState {
  /** Added to the host TSC to give the guest's. */
  readonly offset: bigint;
  readonly adjust: bigint;
}

/** Paravirtual areas the guest registered by MSR. Linux arch/x86/include/uapi/asm/kvm_para.h. */
export interface ParavirtState {
  readonly systemTimeMsr: bigint;
  readonly clockVersion: number;
  readonly guestStoppedRequest: boolean;
  readonly stealMsr: bigint;
  readonly stealNs: number;
  readonly eoiMsr: bigint;
  readonly eoiPending: boolean;
  readonly pollControl: bigint;
}

/** What must happen when user space comes back to KVM_RUN. `nothing`: it only looks. */
export type PendingUserspace =
  | 'nothing'
  | 'pio-in'
  | 'pio-out'
  | 'string-in'
  | 'string-out'
  | 'mmio-read'
  | 'mmio-write'
  | 'rdmsr'
  | 'wrmsr';

/** An MMIO access that is part of the emulation under way. */
export interface MmioFragment {
  readonly gpa: Gpa;
  readonly bytes: readonly number[];
}

/** The instruction under emulation between two visits to user space. */
export interface EmulationState {
  /** Data read so far, in order. */
  readonly reads: readonly MmioFragment[];
  /** What is being read now, as far as it has come: a port's address for INS. */
  readonly reading: { readonly gpa: Gpa; readonly length: number; readonly bytes: readonly number[] } | undefined;
  /** Writes not yet performed; registers have already moved on. */
  readonly writes: readonly MmioFragment[];
}

/** The last VM exit, as far as it is needed once user space has answered. */
export interface LastExit {
  /** Sequence number of its kvm_exit, -1 before the first. */
  readonly seq: Seq;
  readonly instructionLength: number;
  /** What GuestStop.a0 held. */
  readonly operand: bigint;
  /** DR6 bits of the breakpoints its instruction has met, to be told when KVM is done with it. */
  readonly breakpoints: number;
}

export interface VcpuState {
  readonly index: number;
  readonly id: number;
  readonly fd: number;
  /** Between VM entry and VM exit. */
  readonly inGuest: boolean;
  /** The last VM entry: sequence number of its kvm_entry (-1 before the first), its tick, whether it injected. */
  readonly entry: { readonly seq: Seq; readonly tick: Tick; readonly injects: boolean };
  readonly exit: LastExit;
  /** KVM_RUN has returned: user space answers next. */
  readonly inUserspace: boolean;
  readonly pending: PendingUserspace;
  readonly emulation: EmulationState | undefined;
  readonly run: KvmRun;
  /** KVM_MP_STATE_*. */
  readonly mpState: number;
  /** Virtual nanosecond at which the vCPU blocked; -1: it did not. */
  readonly blockedAt: number;
  /** Virtual nanosecond at which another vCPU was given the turn; -1: it has not waited since. */
  readonly waitingSince: number;
  readonly requests: number;
  /** By request bit: sequence number of the fact that set it. */
  readonly requestedBy: readonly number[];
  readonly events: PendingEvents;
  readonly xcr0: bigint;
  readonly msrs: MsrState;
  readonly tsc: TscState;
  readonly pv: ParavirtState;
  readonly cpuid: readonly CpuidEntry[];
  readonly vmcs01: Vmcs;
  /** Which root its guest-physical addresses go through. */
  readonly mmu: RootKind;
  /** User space set registers: run the VM-entry checks. What the guest sets KVM has judged already. */
  readonly checkEntry: boolean;
  readonly guestDebug: GuestDebugState;
  readonly exits: number;
}

export interface KvmState {
  /** By descriptor number minus the first. */
  readonly files: readonly FileState[];
  readonly vm: VmState | undefined;
  readonly vcpus: readonly VcpuState[];
  readonly ept: EptState;
  /** The kernel's timers: kvm-pit, kvm-pit-work, kvm-ioapic-eoi, kvm-lapic<n>. */
  readonly timers: Timers;
}
