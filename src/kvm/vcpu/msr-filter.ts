/** KVM_X86_SET_MSR_FILTER and MSR accesses user space answers. Documentation/virt/kvm/api.rst, 4.97, 6.42 (7.21). */
import { type KvmContext, vmOf } from '../context.ts';
import { EINVAL } from '../../base/errno.ts';
import type { MsrFilter } from '../ioctl/ioctls.ts';
import type { MsrFilterState, VcpuState } from '../state.ts';
import { exitFor, KVM_EXIT_X86_RDMSR, KVM_EXIT_X86_WRMSR, type UserspaceExit } from '../io/userspace.ts';
import { packMsrRanges } from '../ioctl/structs.ts';

/** KVM_MSR_FILTER_READ and _WRITE. */
export const FILTER_READ = 1;
export const FILTER_WRITE = 2;
export const DEFAULT_DENY = 1;
const MOST_RANGES = 16;
const MOST_BITMAP_BYTES = 0x600;

/** KVM_MSR_EXIT_REASON_*. */
export const MSR_INVALID = 1;
export const MSR_UNKNOWN = 2;
export const MSR_FILTERED = 4;
const CAP_X86_USER_SPACE_MSR = 188;

/** KVM_X86_SET_MSR_FILTER. */
export function setMsrFilter(kvm: KvmContext, filter: MsrFilter): number {
  const ranges = filter.ranges.filter(({ nmsrs }) => nmsrs > 0);
  const denies = (filter.flags & DEFAULT_DENY) !== 0;
  if ((filter.flags & ~DEFAULT_DENY) !== 0 || ranges.length > MOST_RANGES) return -EINVAL;
  if (ranges.length === 0 && denies) return -EINVAL;
  for (const { flags, nmsrs } of ranges) {
    if (flags === 0 || (flags & ~(FILTER_READ | FILTER_WRITE)) !== 0) return -EINVAL;
    if (Math.ceil(nmsrs / 8) > MOST_BITMAP_BYTES) return -EINVAL;
  }
  kvm.raise({ kind: 'ioctl:KVM_X86_SET_MSR_FILTER', flags: filter.flags, ranges: packMsrRanges(ranges) });
  for (const vcpu of kvm.state.vcpus) kvm.guest.controlsChanged(vcpu.index);
  return 0;
}

/** kvm_msr_allowed. The x2APIC's registers cannot be filtered. */
export function isMsrAllowed(filter: MsrFilterState | undefined, index: number, access: number): boolean {
  if (filter === undefined || (index >= 0x800 && index <= 0x8ff)) return true;
  for (const { flags, base, nmsrs, bitmap } of filter.ranges) {
    const at = index - base;
    if (at < 0 || at >= nmsrs || (flags & access) === 0) continue;
    return (((bitmap[at >> 3] ?? 0) >>> (at & 7)) & 1) !== 0;
  }
  return !filter.denies;
}

/** kvm_msr_user_space: undefined unless user space asked for accesses that fail in this way. */
export function askUserSpace(
  kvm: KvmContext,
  vcpu: VcpuState,
  write: boolean,
  msr: FailedMsr,
): UserspaceExit | undefined {
  if (((vmOf(kvm).caps[CAP_X86_USER_SPACE_MSR] ?? 0) & msr.reason) === 0) return undefined;
  kvm.raise({ kind: 'sim:run_msr', vcpu_id: vcpu.index, ...msr });
  return write ? exitFor(KVM_EXIT_X86_WRMSR, 'wrmsr') : exitFor(KVM_EXIT_X86_RDMSR, 'rdmsr');
}

/** An access KVM did not perform. */
export interface FailedMsr {
  readonly reason: number;
  readonly index: number;
  readonly data: bigint;
}
