import type { KvmContext } from '../context.ts';
import { readGuest, writeGuest } from '../mmu/guest-memory.ts';
import type { VcpuState } from '../state.ts';

/** struct kvm_steal_time: steal u64, version u32, flags u32, preempted u8. Linux kvm_para.h. */
const VERSION = 8;
const PREEMPTED = 16;
const RECORD = 24;
const ENABLED = 1n;

function address(vcpu: VcpuState): number | undefined {
  return (vcpu.pv.stealMsr & ENABLED) === 0n ? undefined : Number(vcpu.pv.stealMsr & ~0x3fn);
}

/** record_steal_time: publish the time the vCPU waited for its turn, and that it runs. */
export function recordStealTime(kvm: KvmContext, vcpu: VcpuState): void {
  const gpa = address(vcpu);
  if (gpa === undefined) return;
  const old = readGuest(kvm, gpa, RECORD);
  if (old === undefined) return;
  const record = old.slice();
  const view = new DataView(record.buffer);
  const version = ((view.getUint32(VERSION, true) | 1) + 1) >>> 0;
  const steal = vcpu.pv.stealNs;
  view.setUint8(PREEMPTED, 0);
  view.setUint32(VERSION, version, true);
  view.setBigUint64(0, BigInt(steal), true);
  writeGuest(kvm, gpa, record);
  kvm.raise({ kind: 'sim:steal_time', vcpu_id: vcpu.index, steal, version, preempted: false });
}

/** kvm_steal_time_set_preempted: others may leave a TLB flush to KVM instead of sending an IPI. */
export function markPreempted(kvm: KvmContext, vcpu: VcpuState): void {
  const gpa = address(vcpu);
  if (gpa === undefined) return;
  writeGuest(kvm, gpa + PREEMPTED, Uint8Array.of(1));
  kvm.raise({ kind: 'sim:steal_time', vcpu_id: vcpu.index, steal: vcpu.pv.stealNs, version: 0, preempted: true });
}
