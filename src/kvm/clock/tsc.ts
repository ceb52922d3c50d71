import { type KvmContext, REQ_CLOCK_UPDATE, request, vmOf } from '../context.ts';
import type { VcpuState } from '../state.ts';
import { loadedVmcs, writeVmcs } from '../vmcs/controls.ts';
import { updateMasterClock } from './kvmclock.ts';

/** The host's and so every guest's TSC rate. */
export const TSC_KHZ = 2_000_000;
const SECOND_CYCLES = 2_000_000_000n;
const HOST_CLOCK_TSC = 1;

/** The TSC a vCPU reads now. */
export function guestTsc(kvm: KvmContext, vcpu: VcpuState): bigint {
  return BigInt.asUintN(64, kvm.hostTsc() + vcpu.tsc.offset);
}

/** kvm_vcpu_write_tsc_offset. */
function setTscOffset(kvm: KvmContext, vcpu: VcpuState, offset: bigint): void {
  const next = BigInt.asUintN(64, offset);
  kvm.raise({
    kind: 'kvm_write_tsc_offset',
    vcpu_id: vcpu.index,
    previous_tsc_offset: vcpu.tsc.offset,
    next_tsc_offset: next,
  });
  writeVmcs(kvm, loadedVmcs(vcpu), 'tscOffset', next);
}

/**
 * kvm_synchronize_tsc: user space sets a vCPU's TSC. Zero, or a value within a second of what the VM's TSC would
 * be, means "like the others": the offset of vCPU 0 is taken.
 */
export function synchronizeTsc(kvm: KvmContext, vcpu: VcpuState, data: bigint): void {
  const first = kvm.state.vcpus[0];
  let offset = BigInt.asUintN(64, data - kvm.hostTsc());
  if (first !== undefined && (first !== vcpu || data !== 0n || first.exits > 0)) {
    const difference = BigInt.asIntN(64, offset - first.tsc.offset);
    const near = difference < SECOND_CYCLES && difference > -SECOND_CYCLES;
    if (near || data === 0n) offset = first.tsc.offset;
  }
  setTscOffset(kvm, vcpu, offset);
  trackTsc(kvm, vcpu);
}

/** KVM_VCPU_TSC_OFFSET: the offset itself, as a migration brings it. */
export function synchronizeTscOffset(kvm: KvmContext, vcpu: VcpuState, offset: bigint): void {
  setTscOffset(kvm, vcpu, offset);
  trackTsc(kvm, vcpu);
}

/** WRMSR IA32_TSC by the guest: the offset moves, and TSC_ADJUST with it. SDM Vol. 3, 18.17.3. */
export function writeGuestTsc(kvm: KvmContext, vcpu: VcpuState, data: bigint): void {
  const delta = data - guestTsc(kvm, vcpu);
  setTscOffset(kvm, vcpu, vcpu.tsc.offset + delta);
  setAdjust(kvm, vcpu, BigInt.asUintN(64, vcpu.tsc.adjust + delta));
}

/** WRMSR IA32_TSC_ADJUST. */
export function writeTscAdjust(kvm: KvmContext, vcpu: VcpuState, data: bigint, byHost: boolean): void {
  if (!byHost) {
    setTscOffset(kvm, vcpu, vcpu.tsc.offset + data - vcpu.tsc.adjust);
    request(kvm, vcpu, REQ_CLOCK_UPDATE);
  }
  setAdjust(kvm, vcpu, data);
}

function setAdjust(kvm: KvmContext, vcpu: VcpuState, value: bigint): void {
  if (vcpu.tsc.adjust !== value) kvm.raise({ kind: 'sim:tsc_adjust', vcpu_id: vcpu.index, value });
}

function trackTsc(kvm: KvmContext, vcpu: VcpuState): void {
  const { vcpus } = kvm.state;
  const matched = vcpus.filter((other) => other.tsc.offset === vcpus[0]!.tsc.offset).length;
  const { clock } = vmOf(kvm);
  if ((matched === vcpus.length) !== clock.useMasterClock) updateMasterClock(kvm);
  kvm.raise({
    kind: 'kvm_track_tsc',
    vcpu_id: vcpu.index,
    nr_vcpus_matched_tsc: Math.max(0, matched - 1),
    online_vcpus: vcpus.length,
    use_master_clock: clock.useMasterClock,
    host_clock: HOST_CLOCK_TSC,
  });
}
