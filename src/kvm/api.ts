/**
 * The ioctl surface user space sees: /dev/kvm, VM and vCPU file descriptors and `kvm_run`.
 * Linux Documentation/virt/kvm/api.rst.
 */
import type { Gpa } from '../base/units.ts';
import type { Origin } from '../events/origin.ts';
import type { BareRequest, IoctlArgument, IoctlArguments, IoctlRequest } from './ioctl/arguments.ts';

export type { KvmRunAnswer } from './ioctl/run-answer.ts';
export type { IoctlArgument, IoctlArguments, IoctlRequest };

/** The shared page of one vCPU, as KVM left it. Only the member named by `exitReason` is meaningful. */
export interface KvmRun {
  readonly exitReason: number;
  readonly readyForInterruptInjection: boolean;
  readonly ifFlag: boolean;
  readonly requestInterruptWindow: boolean;
  readonly cr8: number;
  readonly apicBase: number;
  /** direction: 0 in, 1 out. `data`: size*count bytes of an out. */
  readonly io: {
    readonly direction: number;
    readonly size: number;
    readonly port: number;
    readonly count: number;
    readonly data: readonly number[];
  };
  readonly mmio: {
    readonly physAddr: number;
    readonly data: readonly number[];
    readonly length: number;
    readonly isWrite: boolean;
  };
  readonly internal: { readonly suberror: number; readonly data: readonly bigint[] };
  readonly failEntry: { readonly reason: bigint };
  /** KVM_EXIT_DEBUG: the exception, the linear address of the instruction, DR6 and DR7. */
  readonly debug: { readonly exception: number; readonly pc: bigint; readonly dr6: bigint; readonly dr7: bigint };
  /** KVM_EXIT_X86_RDMSR and _WRMSR. */
  readonly msr: { readonly reason: number; readonly index: number; readonly data: bigint };
}

/** What one step of a vCPU thread inside KVM_RUN came to. */
export type VcpuProgress =
  | 'entered' // ran, exited, handled in the kernel: may run again at once
  | 'yielded' // gave up its turn (PAUSE exits, pv yield)
  | 'blocked' // halted or waiting for SIPI: runnable again when `isRunnable`
  | 'userspace'; // KVM_RUN returned: see kvm_run.exitReason

/** Writes that wait for user space. Linux struct kvm_coalesced_mmio_ring. */
export interface CoalescedRing {
  readonly first: number;
  readonly last: number;
  readonly entries: readonly { readonly addr: number; readonly pio: boolean; readonly data: readonly number[] }[];
}

/** System calls, made on behalf of whoever asked for this surface. */
export interface Kvm {
  /** open("/dev/kvm"). Returns a file descriptor. */
  open(): number;
  /** Returns >= 0, or a negative errno. `arg`: the ioctl's struct, plain; out-parameters are changed in place. */
  ioctl<R extends IoctlRequest>(fd: number, request: R, arg: IoctlArguments[R]): number;
  ioctl(fd: number, request: BareRequest): number;
  /** The mmap of a vCPU descriptor. */
  run(vcpuFd: number): KvmRun;
  /** The page of coalesced writes in a vCPU's mmap; every vCPU has the same. */
  coalescedRing(): CoalescedRing;
  /** The first entry of the ring has been performed. */
  takeCoalesced(): void;
  /** eventfd(2). Returns a file descriptor. */
  eventfd(): number;
  /** Write 1 to an eventfd (irqfd, ioeventfd). by: who, if it is not user space. */
  signal(eventfd: number, by?: string): void;
  /** Read an eventfd: how often it was signalled since last time. */
  consume(eventfd: number): number;
}

/** KVM's half of the machine. What it raises comes from the `origin` it is given. */
export interface KvmKernel {
  calledBy(origin: Origin): Kvm;
  /** One VM entry and exit of a vCPU in KVM_RUN. */
  advance(vcpu: number, budget: number, origin: Origin): VcpuProgress;
  isRunnable(vcpu: number): boolean;
  /** Whether it runs, or anything within the machine could wake it. */
  isWakeable(vcpu: number): boolean;
  /**
   * What a read of the kernel's interrupt controllers gives; undefined: it is not theirs. Whether it changes something
   * is for the origin to see.
   */
  peek(vcpu: number, gpa: Gpa, length: number, origin: Origin): Uint8Array | undefined;
  /** Expire the kernel's timers due at or before now. False: there was none. */
  expire(origin: Origin): boolean;
  /** A restored state is in place: the processors are told what their VMCS holds. */
  restored(): void;
}
