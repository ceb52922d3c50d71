/** A vCPU's birth, reset and start. Linux kvm_arch_vcpu_create, kvm_vcpu_reset; SDM Vol. 3, Table 10-1. */
import { type KvmContext, REQ_EVENT, request, vmOf } from '../context.ts';
import { updateMasterClock } from '../clock/kvmclock.ts';
import { synchronizeTsc, TSC_KHZ } from '../clock/tsc.ts';
import { addLapic, resetLapic } from '../irqchip/index.ts';
import { applyCr0, applyCr4, applyEfer } from '../mode.ts';
import { ARCH_CAPABILITIES } from '../msrs.ts';
import type { MsrState, PendingEvents, VcpuState } from '../state.ts';
import { createRun } from '../userspace.ts';
import { createHostState } from '../vmcs/host-state.ts';
import { createControls, PLE_WINDOW, primaryBits } from '../vmcs/controls.ts';

export const MP_RUNNABLE = 0;
export const MP_UNINITIALIZED = 1;
export const MP_INIT_RECEIVED = 2;
export const MP_HALTED = 3;

const CR0_AT_RESET = 0x60000010n;
const CR0_CACHE_BITS = 0x60000000n;
const CR0_ET = 0x10n;
const CR8_EXITING = (1 << 19) | (1 << 20);
const TPR_SHADOW = 1 << 21;
const CS = 1;

/** KVM_CREATE_VCPU. */
export function createVcpu(kvm: KvmContext, id: number, fd: number): VcpuState {
  const index = kvm.guest.addVcpu();
  const { irqchip } = vmOf(kvm);
  const vcpu: VcpuState = {
    index,
    id,
    fd,
    running: false,
    inGuest: false,
    runResult: 0,
    pending: undefined,
    emulation: { reads: [], writes: [] },
    run: createRun(),
    mpState: irqchip !== undefined && index !== 0 ? MP_UNINITIALIZED : MP_RUNNABLE,
    blockedAt: -1,
    ranUntil: -1,
    requests: REQ_EVENT,
    events: noEvents(),
    control: { cr0: CR0_AT_RESET, cr4: 0n, efer: 0n, xcr0: 1n },
    at: { rip: 0xfff0n, rflags: 2, interruptibility: 0, cr8: 0, stale: true },
    msrs: resetMsrs(),
    tsc: { offset: 0n, adjust: 0n, khz: TSC_KHZ },
    pv: {
      systemTimeMsr: 0n,
      clockVersion: 0,
      guestStoppedRequest: false,
      stealMsr: 0n,
      stealNs: 0,
      eoiMsr: 0n,
      eoiPending: false,
      pollControl: 1n,
      asyncPfEnable: 0n,
      asyncPfInt: 0n,
    },
    cpuid: [],
    vmcs: createControls(index),
    hostState: createHostState(),
    checkEntry: true,
    guestDebug: { control: 0, singleStepRip: 0n, own: undefined },
    pleWindow: PLE_WINDOW,
    exits: 0,
  };
  kvm.state.vcpus.push(vcpu);
  if (irqchip !== undefined) addLapic(irqchip);
  else {
    primaryBits(kvm, vcpu, TPR_SHADOW, false);
    primaryBits(kvm, vcpu, CR8_EXITING, true);
  }
  vcpu.run.apicBase = index === 0 ? 0xfee00900 : 0xfee00800;
  applyCr4(kvm, vcpu, 0n);
  applyCr0(kvm, vcpu, CR0_AT_RESET);
  synchronizeTsc(kvm, vcpu, 0n);
  updateMasterClock(kvm);
  return vcpu;
}

function noEvents(): PendingEvents {
  return {
    exception: { pending: false, injected: false, vector: 0, hasError: false, errorCode: 0, payload: undefined },
    interrupt: { injected: false, vector: 0, soft: false },
    nmi: { pending: 0, injected: false },
    instructionLength: 0,
    tripleFault: false,
    initPending: false,
    sipiPending: false,
    sipiVector: 0,
    unhalted: false,
  };
}

const zeros = (n: number): bigint[] => new Array<bigint>(n).fill(0n);

/** MCG_CAP before KVM_X86_SETUP_MCE: 32 banks. */
const MCE_BANKS = 32;

function resetMsrs(): MsrState {
  return {
    tscAux: 0n,
    pat: 0x0007040600070406n,
    miscEnable: 0x1800n,
    mcgCap: BigInt(MCE_BANKS),
    mcgStatus: 0n,
    mcgCtl: 0n,
    mcBanks: zeros(MCE_BANKS * 4),
    featureControl: 0n,
    smbase: 0x30000,
    mtrrDefType: 0n,
    mtrrFixed: zeros(11),
    mtrrVariable: zeros(16),
    ucodeRev: 0x100000000n,
    archCapabilities: ARCH_CAPABILITIES,
    platformInfo: 0n,
    miscFeatures: 0n,
    specCtrl: 0n,
    debugCtl: 0n,
    xss: 0n,
    umwaitControl: 0n,
    powerCtl: 0n,
  };
}

/** kvm_vcpu_reset for INIT: registers as after reset, caches and FPU as they were. */
function initVcpu(kvm: KvmContext, vcpu: VcpuState): void {
  const { irqchip } = vmOf(kvm);
  const cacheBits = vcpu.control.cr0 & CR0_CACHE_BITS;
  if (irqchip !== undefined) resetLapic(irqchip, vcpu.index, true);
  kvm.guest.resetVcpu(vcpu.index, 'init');
  const { exception, interrupt, nmi } = vcpu.events;
  exception.pending = false;
  exception.injected = false;
  interrupt.injected = false;
  nmi.pending = 0;
  nmi.injected = false;
  applyEfer(kvm, vcpu, 0n);
  applyCr4(kvm, vcpu, 0n);
  applyCr0(kvm, vcpu, CR0_ET | cacheBits);
  vcpu.at.stale = true;
  request(vcpu, REQ_EVENT);
}

/** kvm_apic_accept_events: INIT first, then SIPI for a vCPU that waits for one. */
export function acceptApicEvents(kvm: KvmContext, vcpu: VcpuState): void {
  const { events } = vcpu;
  if (events.initPending) {
    events.initPending = false;
    initVcpu(kvm, vcpu);
    vcpu.mpState = vcpu.index === vmOf(kvm).bootCpu ? MP_RUNNABLE : MP_INIT_RECEIVED;
  }
  if (!events.sipiPending) return;
  events.sipiPending = false;
  if (vcpu.mpState !== MP_INIT_RECEIVED) return;
  const registers = kvm.guest.registers(vcpu.index);
  const cs = registers.segment(CS);
  registers.setSegment(CS, { ...cs, selector: events.sipiVector << 8, base: BigInt(events.sipiVector << 12) });
  registers.rip = 0n;
  vcpu.mpState = MP_RUNNABLE;
  vcpu.at.stale = true;
}
