import type { KvmRun, KvmRunAnswer } from '../../kvm/api.ts';
import { KVM_X86_SET_MSR_FILTER, type MsrFilter } from '../../kvm/ioctl/ioctls.ts';
import { MSR } from '../../x86/msrs.ts';
import { type TracedKvm, vmIoctl } from './traced-kvm.ts';

const FILTER_READ = 1;

/** Ask for the MSR accesses this side answers: QEMU's kvm_filter_msr. */
export function filterMsrs(caller: TracedKvm, vm: number): void {
  const range = { flags: FILTER_READ, nmsrs: 1, base: MSR.CORE_THREAD_COUNT, bitmap: new Uint8Array(1) };
  vmIoctl(caller, vm, KVM_X86_SET_MSR_FILTER, { flags: 0, ranges: [range] } satisfies MsrFilter);
}

/**
 * KVM_EXIT_X86_RDMSR: kvm_rdmsr_core_thread_count, with one thread a core: threads in bits 15:0, cores in bits 31:16.
 * SDM Vol. 4, Table 2-20. What is not known is #GP.
 */
export function answerRdmsr({ msr }: KvmRun, processors: number): KvmRunAnswer {
  if (msr.index !== MSR.CORE_THREAD_COUNT) return { msr: { data: 0n, error: 1 } };
  return { msr: { data: BigInt(processors | (processors << 16)), error: 0 } };
}
