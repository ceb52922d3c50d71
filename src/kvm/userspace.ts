/** Filling kvm_run for the exits user space serves. Documentation/virt/kvm/api.rst, 5. */
import type { KvmRun } from './api.ts';
import type { VcpuState } from './state.ts';

export const KVM_EXIT_EXCEPTION = 1;
export const KVM_EXIT_IO = 2;
export const KVM_EXIT_DEBUG = 4;
export const KVM_EXIT_HLT = 5;
export const KVM_EXIT_MMIO = 6;
export const KVM_EXIT_IRQ_WINDOW_OPEN = 7;
export const KVM_EXIT_SHUTDOWN = 8;
export const KVM_EXIT_FAIL_ENTRY = 9;
export const KVM_EXIT_INTR = 10;
export const KVM_EXIT_SET_TPR = 11;
export const KVM_EXIT_INTERNAL_ERROR = 17;
export const KVM_EXIT_X86_RDMSR = 29;
export const KVM_EXIT_X86_WRMSR = 30;

export const SUBERROR_EMULATION = 1;
export const SUBERROR_DELIVERY_EVENT = 3;
export const SUBERROR_UNEXPECTED_EXIT = 4;

/** A vCPU's fresh kvm_run page. */
export function createRun(): KvmRun {
  return {
    exitReason: 0,
    readyForInterruptInjection: false,
    ifFlag: false,
    immediateExit: false,
    requestInterruptWindow: false,
    cr8: 0,
    apicBase: 0xfee00000,
    io: { direction: 0, size: 0, port: 0, count: 0, data: [] },
    mmio: { physAddr: 0, data: [], length: 0, isWrite: false },
    internal: { suberror: 0, data: [] },
    failEntry: { reason: 0n, cpu: 0 },
    systemEvent: { type: 0 },
    debug: { exception: 0, pc: 0n, dr6: 0n, dr7: 0n },
    msr: { error: 0, reason: 0, index: 0, data: 0n },
  };
}

/** KVM_EXIT_IO. */
export function exitIo(
  vcpu: VcpuState,
  direction: 0 | 1,
  port: number,
  size: number,
  count: number,
  data: number[],
): void {
  vcpu.run.exitReason = KVM_EXIT_IO;
  vcpu.run.io = { direction, size, port, count, data };
}

/** KVM_EXIT_MMIO. */
export function exitMmio(vcpu: VcpuState, physAddr: number, data: number[], isWrite: boolean): void {
  vcpu.run.exitReason = KVM_EXIT_MMIO;
  vcpu.run.mmio = { physAddr, data, length: data.length, isWrite };
}

/** KVM_EXIT_INTERNAL_ERROR. */
export function exitInternal(vcpu: VcpuState, suberror: number, data: bigint[]): void {
  vcpu.run.exitReason = KVM_EXIT_INTERNAL_ERROR;
  vcpu.run.internal = { suberror, data };
}

/** `length` zero bytes for user space to fill. */
export const zeroBytes = (length: number): number[] => new Array<number>(length).fill(0);
