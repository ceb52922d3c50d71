/**
 * The ioctl surface user space sees: /dev/kvm, VM and vCPU file descriptors and `kvm_run`.
 * Linux Documentation/virt/kvm/api.rst.
 */

/** Bytes of a kvm_run page, changed in place. KVM keeps plain arrays, for the page is state. */
export type RunBytes = number[] | Uint8Array;

/** The shared page of one vCPU. Only the member named by `exitReason` is meaningful. */
export interface KvmRun {
  exitReason: number;
  readyForInterruptInjection: boolean;
  ifFlag: boolean;
  immediateExit: boolean;
  requestInterruptWindow: boolean;
  cr8: number;
  apicBase: number;
  /** direction: 0 in, 1 out. `data`: size*count bytes, in place. */
  io: { direction: 0 | 1; size: number; port: number; count: number; data: RunBytes };
  mmio: { physAddr: number; data: RunBytes; length: number; isWrite: boolean };
  internal: { suberror: number; data: bigint[] };
  failEntry: { reason: bigint; cpu: number };
  systemEvent: { type: number };
  /** KVM_EXIT_DEBUG: the exception, the linear address of the instruction, DR6 and DR7. */
  debug: { exception: number; pc: bigint; dr6: bigint; dr7: bigint };
  /** KVM_EXIT_X86_RDMSR and _WRMSR: user space answers with `data` or `error`. */
  msr: { error: number; reason: number; index: number; data: bigint };
}

/** What one step of a vCPU thread inside KVM_RUN came to. */
export type VcpuProgress =
  | 'entered' // ran, exited, handled in the kernel: may run again at once
  | 'yielded' // gave up its turn (PAUSE exits, pv yield)
  | 'blocked' // halted or waiting for SIPI: runnable again when `isRunnable`
  | 'userspace'; // KVM_RUN returned: see kvm_run.exitReason

/** Writes that wait for user space, which moves `first`. Linux struct kvm_coalesced_mmio_ring. */
export interface CoalescedRing {
  first: number;
  last: number;
  entries: { addr: number; pio: boolean; data: number[] }[];
}

export interface Kvm {
  /** open("/dev/kvm"). Returns a file descriptor. */
  open(): number;
  /** Returns >= 0, or a negative errno. `arg`: the ioctl's struct, plain; out-parameters are changed in place. */
  ioctl(fd: number, request: number, arg?: unknown): number;
  /** The mmap of a vCPU descriptor. */
  run(vcpuFd: number): KvmRun;
  /** The page of coalesced writes in a vCPU's mmap; every vCPU has the same. */
  coalescedRing(): CoalescedRing;
  /** Signal an eventfd (irqfd, ioeventfd) made by `eventfd`. */
  eventfd(): number;
  signal(eventfd: number): void;
  /** Read an eventfd: how often it was signalled since last time. */
  consume(eventfd: number): number;

  /** One VM entry and exit of a vCPU in KVM_RUN, or the completion of what user space was asked. */
  advance(vcpu: number, budget: number): VcpuProgress;
  isRunnable(vcpu: number): boolean;
  /** Earliest virtual nanosecond at which a kernel timer (LAPIC, PIT) expires. */
  deadline(): number | undefined;
  /** Expire the kernel's timers due at or before now. */
  expire(): void;
}

/** What KVM needs from the world around it. */
export interface KvmHost {
  /** Virtual nanoseconds since power-on. */
  now(): number;
  /** Host TSC, 2 per nanosecond. */
  hostTsc(): bigint;
  raise(event: import('../events/vocabulary.ts').MachineEvent): void;
  /** Wall-clock nanoseconds (UTC) at power-on: an input. */
  readonly wallClockAtPowerOn: bigint;
}
