/** The kvm_run page and the exits user space serves. Documentation/virt/kvm/api.rst, 5. */
import type { Gpa } from '../../base/units.ts';
import type { KvmContext } from '../context.ts';
import type { VcpuState } from '../state.ts';

export const KVM_EXIT_EXCEPTION = 1;
export const KVM_EXIT_IO = 2;
export const KVM_EXIT_DEBUG = 4;
export const KVM_EXIT_HLT = 5;
export const KVM_EXIT_MMIO = 6;
export const KVM_EXIT_IRQ_WINDOW_OPEN = 7;
export const KVM_EXIT_SHUTDOWN = 8;
const KVM_EXIT_FAIL_ENTRY = 9;
export const KVM_EXIT_INTR = 10;
export const KVM_EXIT_SET_TPR = 11;
const KVM_EXIT_INTERNAL_ERROR = 17;
export const KVM_EXIT_X86_RDMSR = 29;
export const KVM_EXIT_X86_WRMSR = 30;

export const SUBERROR_EMULATION = 1;
export const SUBERROR_DELIVERY_EVENT = 3;
export const SUBERROR_UNEXPECTED_EXIT = 4;

/** What a return to user space is about: its reason, the access it asks for, and what completes it. */
export interface UserspaceExit {
  readonly reason: number;
  readonly pending: VcpuState['pending'];
  readonly rw: number;
  readonly addr: number;
  readonly size: number;
  readonly count: number;
  readonly data: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** An exit with nothing but its reason; some have told more by a fact of their own. */
export const exitFor = (reason: number, pending: VcpuState['pending'] = 'nothing'): UserspaceExit => ({
  reason,
  pending,
  rw: 0,
  addr: 0,
  size: 0,
  count: 0,
  data: NO_BYTES,
});

/** KVM_EXIT_IO: `data` is what OUT gave, or room for what IN wants. */
export function exitIo(
  access: { readonly rw: 0 | 1; readonly port: number; readonly size: number; readonly count: number },
  data: Uint8Array,
  pending: VcpuState['pending'],
): UserspaceExit {
  const { rw, port, size, count } = access;
  return { reason: KVM_EXIT_IO, pending, rw, addr: port, size, count, data };
}

/** KVM_EXIT_MMIO. */
export function exitMmio(gpa: Gpa, data: Uint8Array, isWrite: boolean): UserspaceExit {
  const pending = isWrite ? 'mmio-write' : 'mmio-read';
  return { reason: KVM_EXIT_MMIO, pending, rw: isWrite ? 1 : 0, addr: gpa, size: data.length, count: 1, data };
}

/** KVM_EXIT_INTERNAL_ERROR. */
export function exitInternal(
  kvm: KvmContext,
  vcpu: VcpuState,
  suberror: number,
  words: readonly bigint[],
): UserspaceExit {
  const data = new Uint8Array(new BigUint64Array(words).buffer);
  kvm.raise({ kind: 'sim:run_internal_error', vcpu_id: vcpu.index, suberror, data });
  return exitFor(KVM_EXIT_INTERNAL_ERROR);
}

/** KVM_EXIT_FAIL_ENTRY. */
export function exitFailedEntry(kvm: KvmContext, vcpu: VcpuState, reason: number): UserspaceExit {
  kvm.raise({ kind: 'sim:run_fail_entry', vcpu_id: vcpu.index, reason: BigInt(reason) });
  return exitFor(KVM_EXIT_FAIL_ENTRY);
}

/** What a handler decided: enter the guest again, give up the turn first, or return to user space. */
export type Handled = 'resume' | 'yield' | UserspaceExit;
