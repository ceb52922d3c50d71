import { type KvmContext, vmOf } from '../context.ts';
import { readGuest, writeGuest } from '../mmu/guest-memory.ts';
import type { VcpuState } from '../state.ts';

/** struct pvclock_vcpu_time_info, 32 bytes. Linux arch/x86/include/asm/pvclock-abi.h. */
const PVCLOCK_SIZE = 32;
const TSC_STABLE = 1;
const GUEST_STOPPED = 2;
const ENABLED = 1n;
const NS_PER_SECOND = 1_000_000_000n;
/** Nanoseconds = (cycles << SHIFT) * MULTIPLIER >> 32, for 2 GHz. */
const MULTIPLIER = 0x8000_0000;
const SHIFT = 0;

/** The guest's kvmclock now, in nanoseconds. */
export function kvmclockNs(kvm: KvmContext): number {
  return kvm.now() + vmOf(kvm).clock.kvmclockOffset;
}

/** pvclock_update_vm_gtod_copy: a common base for all vCPUs while their TSCs agree. */
export function updateMasterClock(kvm: KvmContext): void {
  const { vcpus } = kvm.state;
  const matched = vcpus.every((vcpu) => vcpu.tsc.offset === vcpus[0]!.tsc.offset);
  kvm.raise({
    kind: 'kvm_update_master_clock',
    use_master_clock: matched,
    host_clock: 1,
    offset_matched: matched,
    kernel_ns: kvm.now(),
    tsc: kvm.hostTsc(),
  });
}

/** kvm_guest_time_update: write the vCPU's time record. */
export function updateGuestTime(kvm: KvmContext, vcpu: VcpuState): void {
  const msr = vcpu.pv.systemTimeMsr;
  if ((msr & ENABLED) === 0n) return;
  const { clock } = vmOf(kvm);
  const kernelNs = clock.useMasterClock ? clock.masterKernelNs : kvm.now();
  const hostTsc = clock.useMasterClock ? clock.masterTsc : kvm.hostTsc();
  const tscTimestamp = BigInt.asUintN(64, hostTsc + vcpu.tsc.offset);
  const systemTime = BigInt(kernelNs + clock.kvmclockOffset);
  const flags = (clock.useMasterClock ? TSC_STABLE : 0) | (vcpu.pv.guestStoppedRequest ? GUEST_STOPPED : 0);
  const version = (vcpu.pv.clockVersion + 2) >>> 0;
  const record = new DataView(new ArrayBuffer(PVCLOCK_SIZE));
  record.setUint32(0, version, true);
  record.setBigUint64(8, tscTimestamp, true);
  record.setBigUint64(16, BigInt.asUintN(64, systemTime), true);
  record.setUint32(24, MULTIPLIER, true);
  record.setInt8(28, SHIFT);
  record.setUint8(29, flags);
  writeGuest(kvm, Number(msr & ~ENABLED), new Uint8Array(record.buffer));
  kvm.raise({
    kind: 'kvm_pvclock_update',
    vcpu_id: vcpu.index,
    version,
    tsc_timestamp: tscTimestamp,
    system_time: BigInt.asUintN(64, systemTime),
    tsc_to_system_mul: MULTIPLIER,
    tsc_shift: SHIFT,
    flags,
  });
}

/** WRMSR KVM_WALL_CLOCK(_NEW): the time of day at which kvmclock was zero. 0: nowhere. kvm_write_wall_clock. */
export function writeWallClock(kvm: KvmContext, gpa: bigint): void {
  if (gpa === 0n) return;
  const { clock } = vmOf(kvm);
  const address = Number(gpa);
  const old = readGuest(kvm, address, 4);
  if (old === undefined) return;
  const version = new DataView(old.buffer, old.byteOffset, 4).getUint32(0, true);
  const wall = kvm.wallClockAtPowerOn - BigInt(clock.kvmclockOffset);
  const record = new DataView(new ArrayBuffer(12));
  record.setUint32(0, ((version | 1) + 1) >>> 0, true);
  record.setUint32(4, Number(wall / NS_PER_SECOND), true);
  record.setUint32(8, Number(wall % NS_PER_SECOND), true);
  writeGuest(kvm, address, new Uint8Array(record.buffer));
}

/** KVM_SET_CLOCK: kvmclock reads `ns` now. */
export function setKvmclock(kvm: KvmContext, ns: bigint): void {
  const offset = Number(ns) - kvm.now();
  updateMasterClock(kvm.after(kvm.raise({ kind: 'ioctl:KVM_SET_CLOCK', clock: ns, offset })));
}
