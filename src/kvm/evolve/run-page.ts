/** What facts do to a vCPU's kvm_run page, and to who acts next on the vCPU. */
import type { Draft } from '../../base/draft.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { KVM_EXIT_IO, KVM_EXIT_MMIO } from '../io/userspace.ts';
import type { KvmState, PendingUserspace, VcpuState } from '../state.ts';

type Kvm = Draft<KvmState>;
type Run = Draft<VcpuState>['run'];

/** kvm_userspace_exit: KVM_RUN returns. With an error there is nothing to answer. */
export function returned(kvm: Kvm, event: EventOf<'kvm_userspace_exit'>): void {
  const vcpu = kvm.vcpus[event.vcpu_id]!;
  const { run } = vcpu;
  vcpu.inUserspace = event.errno >= 0;
  vcpu.pending = event.pending as PendingUserspace;
  run.exitReason = event.reason;
  run.ifFlag = event.if_flag;
  run.readyForInterruptInjection = event.ready;
  run.cr8 = event.cr8;
  if (event.reason === KVM_EXIT_IO) putIo(run, event);
  else if (event.reason === KVM_EXIT_MMIO) putMmio(run, event);
}

/** Of a read nothing is there before user space answers. */
const written = (rw: number, data: Uint8Array): number[] => (rw === 0 ? [] : [...data]);

function putIo(run: Run, { rw, addr: port, size, count, data }: EventOf<'kvm_userspace_exit'>): void {
  run.io = { direction: rw, size, port, count, data: written(rw, data) };
}

function putMmio(run: Run, { rw, addr: physAddr, size: length, data }: EventOf<'kvm_userspace_exit'>): void {
  run.mmio = { physAddr, data: written(rw, data), length, isWrite: rw !== 0 };
}

/** KVM_RUN. */
export function entered(kvm: Kvm, event: EventOf<'ioctl:KVM_RUN'>): void {
  const vcpu = kvm.vcpus[event.vcpu_id]!;
  vcpu.inUserspace = false;
  vcpu.pending = 'nothing';
  vcpu.run.requestInterruptWindow = event.request_interrupt_window;
  vcpu.run.cr8 = event.cr8;
}

/** sim:run_debug. */
export function debugTold(kvm: Kvm, { vcpu_id: index, exception, pc, dr6, dr7 }: EventOf<'sim:run_debug'>): void {
  kvm.vcpus[index]!.run.debug = { exception, pc, dr6, dr7 };
}

/** sim:run_internal_error. */
export function errorTold(kvm: Kvm, { vcpu_id: index, suberror, data }: EventOf<'sim:run_internal_error'>): void {
  kvm.vcpus[index]!.run.internal = { suberror, data: [...new BigUint64Array(data.slice().buffer)] };
}

/** sim:run_fail_entry. */
export function failureTold(kvm: Kvm, { vcpu_id: index, reason }: EventOf<'sim:run_fail_entry'>): void {
  kvm.vcpus[index]!.run.failEntry = { reason };
}

/** sim:run_msr. */
export function msrTold(kvm: Kvm, { vcpu_id: index, reason, index: msr, data }: EventOf<'sim:run_msr'>): void {
  kvm.vcpus[index]!.run.msr = { reason, index: msr, data };
}
