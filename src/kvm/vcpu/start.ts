/** A vCPU's birth, INIT and start-up. Linux kvm_arch_vcpu_create, kvm_vcpu_reset; SDM Vol. 3, Table 10-1. */
import { updateMasterClock } from '../clock/kvmclock.ts';
import { synchronizeTsc } from '../clock/tsc.ts';
import { type KvmContext, vmOf } from '../context.ts';
import { nextFd } from '../ioctl/files.ts';
import { stopLapicTimer } from '../irqchip/index.ts';
import { applyCr0, applyCr4, applyEfer } from './mode.ts';
import type { VcpuState } from '../state.ts';
import { PRIMARY } from '../../x86/controls.ts';
import { loadedVmcs, primaryBits } from '../vmcs/controls.ts';
import { CR0_AT_RESET, CR0_CD, CR0_ET, CR0_NW, SEG } from '../../x86/registers.ts';

export const MP_RUNNABLE = 0;
export const MP_UNINITIALIZED = 1;
export const MP_INIT_RECEIVED = 2;
export const MP_HALTED = 3;

const CR0_CACHE_BITS = CR0_CD | CR0_NW;
const CR8_EXITING = PRIMARY.CR8_LOAD_EXITING | PRIMARY.CR8_STORE_EXITING;

/** KVM_CREATE_VCPU. Returns its descriptor. */
export function createVcpu(kvm: KvmContext, id: number): number {
  const index = kvm.guest.addVcpu();
  const fd = nextFd(kvm);
  const made = kvm.after(kvm.raise({ kind: 'ioctl:KVM_CREATE_VCPU', vcpu_id: index, id, fd }));
  const vcpu = kvm.state.vcpus[index]!;
  kvm.guest.controlsChanged(index);
  if (vmOf(kvm).irqchip === undefined) {
    primaryBits(made, loadedVmcs(vcpu), PRIMARY.TPR_SHADOW, false);
    primaryBits(made, loadedVmcs(vcpu), CR8_EXITING, true);
  }
  applyCr4(made, vcpu, 0n);
  applyCr0(made, vcpu, CR0_AT_RESET);
  synchronizeTsc(made, vcpu, 0n);
  updateMasterClock(made);
  return fd;
}

/** kvm_vcpu_reset for INIT: registers as after reset, caches and FPU as they were. */
function initVcpu(kvm: KvmContext, vcpu: VcpuState): void {
  const cacheBits = loadedVmcs(vcpu).cr0Shadow & CR0_CACHE_BITS;
  const mpState = vcpu.index === vmOf(kvm).bootCpu ? MP_RUNNABLE : MP_INIT_RECEIVED;
  const told = kvm.after(kvm.raise({ kind: 'sim:init', vcpu_id: vcpu.index, mp_state: mpState }));
  if (vmOf(kvm).irqchip !== undefined) stopLapicTimer(told, vcpu.index);
  kvm.guest.resetVcpu(vcpu.index, 'init');
  applyEfer(told, vcpu, 0n);
  applyCr4(told, vcpu, 0n);
  applyCr0(told, vcpu, CR0_ET | cacheBits);
}

/** kvm_apic_accept_events: INIT first, then SIPI for a vCPU that waits for one. */
export function acceptApicEvents(kvm: KvmContext, vcpu: VcpuState): void {
  if (vcpu.events.initPending) initVcpu(kvm.after(vcpu.events.startCause), vcpu);
  if (!vcpu.events.sipiPending) return;
  const starts = vcpu.mpState === MP_INIT_RECEIVED;
  const { sipiVector: vector, startCause } = vcpu.events;
  kvm.after(startCause).raise({ kind: 'sim:sipi', vcpu_id: vcpu.index, vector, starts });
  if (!starts) return;
  const registers = kvm.guest.registers(vcpu.index);
  const cs = registers.segment(SEG.CS);
  registers.setSegment(SEG.CS, { ...cs, selector: vector << 8, base: BigInt(vector << 12) });
  registers.rip = 0n;
}
