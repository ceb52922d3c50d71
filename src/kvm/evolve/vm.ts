/** What facts do to the VM as a whole, and how it and its vCPUs come to be. */
import type { Draft } from '../../base/draft.ts';
import { NONE } from '../../events/origin.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventOf } from '../../events/vocabulary.ts';
import { TSC_KHZ } from '../clock/tsc.ts';
import { REQ_CLOCK_UPDATE, REQ_EVENT } from '../context.ts';
import { DEFAULT_DENY } from '../vcpu/msr-filter.ts';
import { ARCH_CAPABILITIES } from '../vcpu/msrs.ts';
import { unpackMsrRanges } from '../ioctl/structs.ts';
import type { KvmState, MsrState, PendingEvents, VcpuState } from '../state.ts';
import { newVmcs01 } from '../vmcs/controls.ts';
import { MP_RUNNABLE, MP_UNINITIALIZED } from '../vcpu/start.ts';
import * as lapic from './lapic.ts';
import { makeAllRequest } from './requests.ts';

type Kvm = Draft<KvmState>;

/** KVM_CREATE_VM. */
export function created(kvm: Kvm, { ns, tsc }: EventOf<'ioctl:KVM_CREATE_VM'>): void {
  kvm.files.push({ kind: 'vm' });
  kvm.vm = {
    slots: [],
    generation: 0,
    validGen: 0,
    irqchip: undefined,
    irqfds: [],
    ioeventfds: { pio: {}, mmio: {} },
    coalesced: [],
    ring: { first: 0, last: 0, entries: [] },
    msrFilter: undefined,
    clock: {
      kvmclockOffset: 0 - ns,
      useMasterClock: true,
      masterKernelNs: ns,
      masterTsc: tsc,
      wallClockMsr: 0n,
    },
    caps: {},
    tssAddr: 0,
    identityMapAddr: 0xfffbc000,
    bootCpu: 0,
    tscKhz: TSC_KHZ,
  };
}

/** KVM_CREATE_VCPU. */
export function vcpuCreated(kvm: Kvm, { vcpu_id: index, id, fd }: EventOf<'ioctl:KVM_CREATE_VCPU'>): void {
  const hasIrqchip = kvm.vm!.irqchip !== undefined;
  kvm.files.push({ kind: 'vcpu', vcpu: index });
  kvm.vcpus.push(newVcpu(index, id, fd, hasIrqchip));
  if (hasIrqchip) lapic.added(kvm);
}

function newVcpu(index: number, id: number, fd: number, hasIrqchip: boolean): Draft<VcpuState> {
  return {
    index,
    id,
    fd,
    inGuest: false,
    entry: { seq: NONE, tick: 0, injects: false },
    exit: { seq: NONE, instructionLength: 0, operand: 0n, breakpoints: 0 },
    inUserspace: false,
    pending: 'nothing',
    emulation: undefined,
    run: newRun(index),
    mpState: hasIrqchip && index !== 0 ? MP_UNINITIALIZED : MP_RUNNABLE,
    blockedAt: -1,
    waitingSince: -1,
    requests: REQ_EVENT,
    requestedBy: new Array<number>(8).fill(NONE),
    events: noEvents(),
    xcr0: 1n,
    msrs: resetMsrs(),
    tsc: { offset: 0n, adjust: 0n },
    pv: {
      systemTimeMsr: 0n,
      clockVersion: 0,
      guestStoppedRequest: false,
      stealMsr: 0n,
      stealNs: 0,
      eoiMsr: 0n,
      eoiPending: false,
      pollControl: 1n,
    },
    cpuid: [],
    vmcs01: newVmcs01(index),
    mmu: 'tdp',
    checkEntry: true,
    guestDebug: { control: 0, singleStepRip: 0n, own: undefined },
    exits: 0,
  };
}

/** A vCPU's fresh kvm_run page. */
function newRun(index: number): Draft<VcpuState>['run'] {
  return {
    exitReason: 0,
    readyForInterruptInjection: false,
    ifFlag: false,
    requestInterruptWindow: false,
    cr8: 0,
    apicBase: index === 0 ? 0xfee00900 : 0xfee00800,
    io: { direction: 0, size: 0, port: 0, count: 0, data: [] },
    mmio: { physAddr: 0, data: [], length: 0, isWrite: false },
    internal: { suberror: 0, data: [] },
    failEntry: { reason: 0n },
    debug: { exception: 0, pc: 0n, dr6: 0n, dr7: 0n },
    msr: { reason: 0, index: 0, data: 0n },
  };
}

function noEvents(): Draft<PendingEvents> {
  return {
    exception: {
      pending: false,
      injected: false,
      vector: 0,
      hasError: false,
      errorCode: 0,
      payload: undefined,
      cause: NONE,
    },
    interrupt: { injected: false, vector: 0, soft: false, cause: NONE },
    nmi: { pending: 0, injected: false, cause: NONE },
    instructionLength: 0,
    initPending: false,
    sipiPending: false,
    sipiVector: 0,
    startCause: NONE,
    unhalted: false,
  };
}

const zeros = (count: number): bigint[] => new Array<bigint>(count).fill(0n);

/** MCG_CAP before KVM_X86_SETUP_MCE: 32 banks. */
const MCE_BANKS = 32;

function resetMsrs(): Draft<MsrState> {
  return {
    miscEnable: 0x1800n,
    mcgCap: BigInt(MCE_BANKS),
    mcgStatus: 0n,
    mcgCtl: 0n,
    mcBanks: zeros(MCE_BANKS * 4),
    featureControl: 0n,
    smbase: 0x30000n,
    mtrrDefType: 0n,
    mtrrFixed: zeros(11),
    mtrrVariable: zeros(16),
    ucodeRev: 0x100000000n,
    archCapabilities: ARCH_CAPABILITIES,
    platformInfo: 0n,
    miscFeatures: 0n,
    specCtrl: 0n,
    powerCtl: 0n,
  };
}

/** KVM_SET_TSS_ADDR. */
export function tssSet(kvm: Kvm, { addr }: EventOf<'ioctl:KVM_SET_TSS_ADDR'>): void {
  kvm.vm!.tssAddr = addr;
}

/** KVM_SET_IDENTITY_MAP_ADDR. */
export function identityMapSet(kvm: Kvm, { addr }: EventOf<'ioctl:KVM_SET_IDENTITY_MAP_ADDR'>): void {
  kvm.vm!.identityMapAddr = addr;
}

/** KVM_SET_BOOT_CPU_ID. */
export function bootCpuSet(kvm: Kvm, { id }: EventOf<'ioctl:KVM_SET_BOOT_CPU_ID'>): void {
  kvm.vm!.bootCpu = id;
}

/** KVM_ENABLE_CAP. */
export function capabilityEnabled(kvm: Kvm, { cap, arg }: EventOf<'ioctl:KVM_ENABLE_CAP'>): void {
  kvm.vm!.caps[cap] = arg;
}

/** KVM_X86_SET_MSR_FILTER. */
export function filterSet(kvm: Kvm, event: EventOf<'ioctl:KVM_X86_SET_MSR_FILTER'>): void {
  const ranges = unpackMsrRanges(event.ranges).map((range) => ({ ...range, bitmap: [...range.bitmap] }));
  const denies = (event.flags & DEFAULT_DENY) !== 0;
  kvm.vm!.msrFilter = ranges.length === 0 ? undefined : { denies, ranges };
}

/** KVM_SET_CLOCK. */
export function clockSet(kvm: Kvm, { offset }: EventOf<'ioctl:KVM_SET_CLOCK'>): void {
  kvm.vm!.clock.kvmclockOffset = offset;
}

/** kvm_update_master_clock: every vCPU's time record follows. */
export function masterClockUpdated(kvm: Kvm, event: EventOf<'kvm_update_master_clock'>, { seq }: Stamped): void {
  const { clock } = kvm.vm!;
  clock.useMasterClock = event.use_master_clock;
  clock.masterKernelNs = event.kernel_ns;
  clock.masterTsc = event.tsc;
  makeAllRequest(kvm, REQ_CLOCK_UPDATE, seq);
}

/** sim:apic_base: as user space sees it. */
export function apicBaseSet(kvm: Kvm, event: EventOf<'sim:apic_base'>): void {
  kvm.vcpus[event.vcpu_id]!.run.apicBase = event.value;
  lapic.baseWritten(kvm, event);
}

/** sim:tpr: of a local APIC, or the one user space keeps. */
export function taskPrioritySet(kvm: Kvm, event: EventOf<'sim:tpr'>, stamped: Stamped): void {
  kvm.vcpus[event.vcpu_id]!.run.cr8 = event.tpr >> 4;
  if (kvm.vm!.irqchip !== undefined) lapic.taskPrioritySet(kvm, event, stamped);
}
