/** All state of KVM's half: plain values, complete. */
import type { CoalescedRing, KvmRun } from './api.ts';
import type { CpuidEntry } from './ioctls.ts';
import type { IrqchipState } from './irqchip/state.ts';
import type { VmcsControls } from './vmcs/controls.ts';
import type { HostState } from './vmcs/host-state.ts';

/** A file descriptor's object. */
export type FileState =
  | { kind: 'kvm' }
  | { kind: 'vm' }
  | { kind: 'vcpu'; vcpu: number }
  /** An eventfd: its counter. */
  | { kind: 'eventfd'; count: number };

/** A memory slot. Frame numbers and page counts; Linux struct kvm_memory_slot. */
export interface MemslotState {
  id: number;
  flags: number;
  baseGfn: number;
  npages: number;
  hva: number;
  /** One bit per page when dirty pages are logged: 32 pages a word. */
  dirty: number[] | undefined;
}

/** An eventfd bound to a GSI. */
export interface IrqfdState {
  fd: number;
  gsi: number;
  resamplefd: number | undefined;
}

/** An eventfd bound to an address the guest writes. */
export interface IoeventfdState {
  fd: number;
  addr: number;
  len: number;
  pio: boolean;
  /** undefined: any value. */
  datamatch: bigint | undefined;
}

/** kvmclock of the VM: struct kvm_arch's clock fields. Virtual nanoseconds and host TSC. */
export interface VmClockState {
  /** Added to the host's boot-based clock to give the guest's. */
  kvmclockOffset: number;
  useMasterClock: boolean;
  masterKernelNs: number;
  masterTsc: bigint;
  wallClockMsr: bigint;
}

/** KVM_X86_SET_MSR_FILTER. */
export interface MsrFilterState {
  /** What no range says. */
  denies: boolean;
  /** A set bit allows; `flags`: 1 reads, 2 writes. */
  ranges: { flags: number; base: number; nmsrs: number; bitmap: number[] }[];
}

/** KVM_SET_GUEST_DEBUG. */
export interface GuestDebugState {
  control: number;
  /** Linear address from which user space steps. */
  singleStepRip: bigint;
  /** The guest's DR0-3 and DR7 while the processor holds user space's. */
  own: bigint[] | undefined;
}

export interface VmState {
  slots: MemslotState[];
  /** Counts changes of the slots; cached MMIO entries of another generation are stale. */
  generation: number;
  /** Linux kvm_arch.mmu_valid_gen: 0 or 1. */
  validGen: number;
  irqchip: IrqchipState | undefined;
  irqfds: IrqfdState[];
  ioeventfds: IoeventfdState[];
  coalesced: { addr: number; size: number; pio: boolean }[];
  ring: CoalescedRing;
  msrFilter: MsrFilterState | undefined;
  clock: VmClockState;
  /** Enabled capabilities' first argument by number. */
  caps: Record<number, number>;
  tssAddr: number;
  identityMapAddr: number;
  bootCpu: number;
  tscKhz: number;
}

/** Pages of the EPT pool in use. */
export interface EptPoolState {
  /** Host-physical address of the root table, 0 when there is none. */
  root: number;
  /** Pages handed out so far. */
  next: number;
  /** Host-physical addresses of pages given back. */
  free: number[];
  used: number;
}

/** A queued exception: Linux struct kvm_queued_exception. */
export interface ExceptionState {
  pending: boolean;
  injected: boolean;
  vector: number;
  hasError: boolean;
  errorCode: number;
  /** DR6 bits of #DB, CR2 of #PF: written when the exception is delivered. */
  payload: bigint | undefined;
}

export interface PendingEvents {
  exception: ExceptionState;
  interrupt: { injected: boolean; vector: number; soft: boolean };
  nmi: { pending: number; injected: boolean };
  /** Length of the instruction behind a software interrupt or exception that is injected again. */
  instructionLength: number;
  tripleFault: boolean;
  initPending: boolean;
  sipiPending: boolean;
  sipiVector: number;
  unhalted: boolean;
}

/** The control registers as the guest sees them; bits the guest owns (CR0.TS, CR0.WP, some of CR4) may be stale. */
export interface ControlRegisters {
  cr0: bigint;
  cr4: bigint;
  efer: bigint;
  xcr0: bigint;
}

/** Where the guest stands, as of its last exit. */
export interface Position {
  rip: bigint;
  rflags: number;
  interruptibility: number;
  cr8: number;
  /** Something else changed registers: read them again. */
  stale: boolean;
}

export interface MsrState {
  tscAux: bigint;
  pat: bigint;
  miscEnable: bigint;
  mcgCap: bigint;
  mcgStatus: bigint;
  mcgCtl: bigint;
  mcBanks: bigint[];
  featureControl: bigint;
  smbase: number;
  mtrrDefType: bigint;
  mtrrFixed: bigint[];
  mtrrVariable: bigint[];
  ucodeRev: bigint;
  archCapabilities: bigint;
  platformInfo: bigint;
  miscFeatures: bigint;
  specCtrl: bigint;
  debugCtl: bigint;
  xss: bigint;
  umwaitControl: bigint;
  powerCtl: bigint;
}

export interface TscState {
  /** Added to the host TSC to give the guest's. */
  offset: bigint;
  adjust: bigint;
  khz: number;
}

/** Paravirtual areas the guest registered by MSR. Linux arch/x86/include/uapi/asm/kvm_para.h. */
export interface ParavirtState {
  systemTimeMsr: bigint;
  clockVersion: number;
  guestStoppedRequest: boolean;
  stealMsr: bigint;
  stealNs: number;
  eoiMsr: bigint;
  eoiPending: boolean;
  pollControl: bigint;
  asyncPfEnable: bigint;
  asyncPfInt: bigint;
}

/** What must happen when user space comes back to KVM_RUN. */
export type PendingUserspace =
  | { kind: 'pio-in'; size: number; port: number; rax: bigint; instructionLength: number }
  | { kind: 'pio-out'; instructionLength: number }
  | { kind: 'string-in'; port: number; size: number; count: number }
  | { kind: 'string-out' }
  | { kind: 'mmio-read'; gpa: number; length: number; done: number; bytes: number[] }
  | { kind: 'mmio-write' }
  | { kind: 'rdmsr'; instructionLength: number }
  | { kind: 'wrmsr'; instructionLength: number }
  | { kind: 'hypercall' };

/** An MMIO access that is part of the emulation under way. */
export interface MmioFragment {
  gpa: number;
  bytes: number[];
}

/** The instruction under emulation between two visits to user space. */
export interface EmulationState {
  /** Data read so far, in order. */
  reads: MmioFragment[];
  /** Writes not yet performed; registers have already moved on. */
  writes: MmioFragment[];
}

export interface VcpuState {
  index: number;
  id: number;
  fd: number;
  /** Inside KVM_RUN. */
  running: boolean;
  /** A debugger stopped the guest between entry and exit: no entry is due. */
  inGuest: boolean;
  /** What the last KVM_RUN returned. */
  runResult: number;
  pending: PendingUserspace | undefined;
  emulation: EmulationState;
  run: KvmRun;
  /** KVM_MP_STATE_*. */
  mpState: number;
  /** Virtual nanosecond at which the vCPU blocked; -1: it did not. */
  blockedAt: number;
  /** Virtual nanosecond up to which the vCPU had its turn; -1: not yet started. */
  ranUntil: number;
  requests: number;
  events: PendingEvents;
  control: ControlRegisters;
  at: Position;
  msrs: MsrState;
  tsc: TscState;
  pv: ParavirtState;
  cpuid: CpuidEntry[];
  vmcs: VmcsControls;
  hostState: HostState;
  /** User space set registers: run the VM-entry checks. What the guest sets KVM has judged already. */
  checkEntry: boolean;
  guestDebug: GuestDebugState;
  pleWindow: number;
  exits: number;
}

export interface KvmState {
  /** By descriptor number minus `firstFd`. */
  files: (FileState | undefined)[];
  vm: VmState | undefined;
  vcpus: VcpuState[];
  ept: EptPoolState;
}
