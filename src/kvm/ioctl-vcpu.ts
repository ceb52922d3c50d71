/** Requests of a vCPU's descriptor. Linux kvm_vcpu_ioctl, kvm_arch_vcpu_ioctl. */
import { TSC_KHZ } from './clock/tsc.ts';
import { type KvmContext, REQ_CLOCK_UPDATE, REQ_EVENT, REQ_TRIPLE_FAULT, request, vmOf } from './context.ts';
import { setXcr0 } from './exits/registers.ts';
import { EINVAL, ENXIO } from './errno.ts';
import { getVcpuAttribute, hasVcpuAttribute, setVcpuAttribute } from './device-attributes.ts';
import { guestHas } from './features.ts';
import { guestDr, setGuestDebug, setGuestDr } from './guest-debug.ts';
import * as io from './ioctls.ts';
import { getLapic, setLapic, setLapicFeatures } from './irqchip/index.ts';
import { updateCr4Owner } from './mode.ts';
import { readMsr, writeMsr } from './msrs.ts';
import { getRegs, getSregs, setRegs, setSregs } from './registers.ts';
import type { VcpuState } from './state.ts';
import {
  SECONDARY_INVPCID,
  SECONDARY_RDRAND,
  SECONDARY_RDSEED,
  SECONDARY_RDTSCP,
  writeControl,
} from './vmcs/controls.ts';
import { beginRun } from './vcpu/run.ts';
import { injectNmi } from './vcpu/exceptions.ts';

type VcpuIoctl = (kvm: KvmContext, vcpu: VcpuState, arg: never) => number;

const MAX_MP_STATE = 4;
const MP_SIPI_RECEIVED = 4;
const VALID_NMI_PENDING = 1;
const VALID_SIPI_VECTOR = 2;
const VALID_SHADOW = 4;
const VALID_TRIPLE_FAULT = 32;
const SHADOW_BITS = 3;
const NMI_BLOCKED = 8;

/** By request number. */
export const VCPU_IOCTLS: Readonly<Record<number, VcpuIoctl>> = {
  [io.KVM_RUN]: (_kvm, vcpu) => {
    beginRun(vcpu);
    return 0;
  },
  [io.KVM_GET_REGS]: (kvm, vcpu, regs: io.Regs) => getRegs(kvm, vcpu, regs),
  [io.KVM_SET_REGS]: (kvm, vcpu, regs: io.Regs) => setRegs(kvm, vcpu, regs),
  [io.KVM_GET_SREGS]: (kvm, vcpu, sregs: io.Sregs) => getSregs(kvm, vcpu, sregs),
  [io.KVM_SET_SREGS]: (kvm, vcpu, sregs: io.Sregs) => setSregs(kvm, vcpu, sregs),
  [io.KVM_GET_SREGS2]: (kvm, vcpu, sregs: io.Sregs) => getSregs(kvm, vcpu, sregs),
  [io.KVM_SET_SREGS2]: (kvm, vcpu, sregs: io.Sregs) => setSregs(kvm, vcpu, sregs),
  [io.KVM_GET_MSRS]: (kvm, vcpu, list: io.MsrList) => {
    let done = 0;
    for (const entry of list.entries) {
      const value = readMsr(kvm, vcpu, entry.index, true);
      if (value === undefined) break;
      entry.data = value;
      done += 1;
    }
    return done;
  },
  [io.KVM_SET_MSRS]: (kvm, vcpu, list: io.MsrList) => {
    let done = 0;
    for (const entry of list.entries) {
      if (!writeMsr(kvm, vcpu, entry.index, entry.data, true)) break;
      done += 1;
    }
    return done;
  },
  [io.KVM_SET_CPUID]: setCpuid,
  [io.KVM_SET_CPUID2]: setCpuid,
  [io.KVM_GET_CPUID2]: (_kvm, vcpu, table: io.CpuidTable) => {
    table.entries = vcpu.cpuid.map((entry) => ({ ...entry }));
    return 0;
  },
  [io.KVM_GET_LAPIC]: (kvm, vcpu, out: io.LapicRegisters) => {
    const { irqchip } = vmOf(kvm);
    if (irqchip === undefined) return -EINVAL;
    out.regs = getLapic(irqchip, vcpu.index, kvm.irq);
    return 0;
  },
  [io.KVM_SET_LAPIC]: (kvm, vcpu, page: io.LapicRegisters) => {
    const { irqchip } = vmOf(kvm);
    if (irqchip === undefined) return -EINVAL;
    setLapic(irqchip, vcpu.index, page.regs, kvm.irq);
    request(vcpu, REQ_EVENT);
    return 0;
  },
  [io.KVM_GET_MP_STATE]: (_kvm, vcpu, out: io.MpState) => {
    out.mpState = vcpu.mpState;
    return 0;
  },
  [io.KVM_SET_MP_STATE]: setMpState,
  [io.KVM_NMI]: (_kvm, vcpu) => {
    injectNmi(vcpu);
    return 0;
  },
  [io.KVM_INTERRUPT]: (kvm, vcpu, { irq }: { irq: number }) => {
    if (irq > 255) return -EINVAL;
    if (vmOf(kvm).irqchip !== undefined) return -ENXIO;
    vcpu.events.interrupt = { injected: true, vector: irq, soft: false };
    request(vcpu, REQ_EVENT);
    return 0;
  },
  [io.KVM_GET_VCPU_EVENTS]: (_kvm, vcpu, out: io.VcpuEvents) => getEvents(vcpu, out),
  [io.KVM_SET_VCPU_EVENTS]: setEvents,
  [io.KVM_GET_DEBUGREGS]: (kvm, vcpu, out: io.DebugRegs) => {
    out.db = [0, 1, 2, 3].map((index) => guestDr(kvm, vcpu, index));
    out.dr6 = guestDr(kvm, vcpu, 6);
    out.dr7 = guestDr(kvm, vcpu, 7);
    return 0;
  },
  [io.KVM_SET_DEBUGREGS]: (kvm, vcpu, regs: io.DebugRegs) => {
    if ((regs.dr6 | regs.dr7) >> 32n !== 0n) return -EINVAL;
    regs.db.forEach((value, index) => setGuestDr(kvm, vcpu, index, value));
    setGuestDr(kvm, vcpu, 6, regs.dr6);
    setGuestDr(kvm, vcpu, 7, regs.dr7);
    return 0;
  },
  [io.KVM_GET_XSAVE]: (kvm, vcpu, out: io.Xsave) => {
    out.region = kvm.guest.registers(vcpu.index).xsave().slice();
    return 0;
  },
  [io.KVM_GET_XSAVE2]: (kvm, vcpu, out: io.Xsave) => {
    out.region = kvm.guest.registers(vcpu.index).xsave().slice();
    return 0;
  },
  [io.KVM_SET_XSAVE]: (kvm, vcpu, area: io.Xsave) => {
    kvm.guest.registers(vcpu.index).setXsave(area.region);
    return 0;
  },
  [io.KVM_GET_FPU]: (kvm, vcpu, out: io.Xsave) => {
    out.region = kvm.guest.registers(vcpu.index).xsave().slice(0, 512);
    return 0;
  },
  [io.KVM_SET_FPU]: (kvm, vcpu, area: io.Xsave) => {
    const whole = kvm.guest.registers(vcpu.index).xsave().slice();
    whole.set(area.region.subarray(0, 512));
    kvm.guest.registers(vcpu.index).setXsave(whole);
    return 0;
  },
  [io.KVM_GET_XCRS]: (_kvm, vcpu, out: io.Xcrs) => {
    out.xcrs = [{ xcr: 0, value: vcpu.control.xcr0 }];
    return 0;
  },
  [io.KVM_SET_XCRS]: (kvm, vcpu, table: io.Xcrs) =>
    table.xcrs.every(({ xcr, value }) => xcr !== 0 || setXcr0(kvm, vcpu, value)) ? 0 : -EINVAL,
  [io.KVM_SET_TSC_KHZ]: (_kvm, _vcpu, khz: number) => (khz === 0 || khz === TSC_KHZ ? 0 : -EINVAL),
  [io.KVM_GET_TSC_KHZ]: () => TSC_KHZ,
  [io.KVM_KVMCLOCK_CTRL]: (_kvm, vcpu) => {
    if ((vcpu.pv.systemTimeMsr & 1n) === 0n) return -EINVAL;
    vcpu.pv.guestStoppedRequest = true;
    request(vcpu, REQ_CLOCK_UPDATE);
    return 0;
  },
  [io.KVM_TRANSLATE]: (kvm, vcpu, translation: io.Translation) => {
    const found = kvm.guest.translate(vcpu.index, translation.linearAddress);
    translation.valid = found !== undefined;
    translation.physicalAddress = found?.gpa ?? 0;
    translation.writeable = true;
    translation.usermode = false;
    return 0;
  },
  [io.KVM_SET_GUEST_DEBUG]: (kvm, vcpu, debug: io.GuestDebug) => setGuestDebug(kvm, vcpu, debug),
  [io.KVM_HAS_DEVICE_ATTR]: hasVcpuAttribute,
  [io.KVM_GET_DEVICE_ATTR]: getVcpuAttribute,
  [io.KVM_SET_DEVICE_ATTR]: setVcpuAttribute,
  [io.KVM_X86_SETUP_MCE]: (_kvm, vcpu, cap: bigint) => {
    const banks = Number(cap & 0xffn);
    if (banks === 0 || banks > 32) return -EINVAL;
    vcpu.msrs.mcgCap = cap;
    if ((cap & 0x100n) !== 0n) vcpu.msrs.mcgCtl = 0xffff_ffff_ffff_ffffn;
    for (let bank = 0; bank < banks; bank += 1) vcpu.msrs.mcBanks[bank * 4] = 0xffff_ffff_ffff_ffffn;
    return 0;
  },
  [io.KVM_SET_SIGNAL_MASK]: () => 0,
  [io.KVM_TPR_ACCESS_REPORTING]: () => 0,
  [io.KVM_SET_VAPIC_ADDR]: () => 0,
  [io.KVM_ENABLE_CAP]: () => -EINVAL,
};

const BY_FEATURE = SECONDARY_RDTSCP | SECONDARY_INVPCID | SECONDARY_RDRAND | SECONDARY_RDSEED;

/** KVM_SET_CPUID2: what follows from the features the guest is promised. */
function setCpuid(kvm: KvmContext, vcpu: VcpuState, table: io.CpuidTable): number {
  if (vcpu.exits > 0) return -EINVAL;
  vcpu.cpuid = table.entries.map((entry) => ({ ...entry }));
  const { irqchip } = vmOf(kvm);
  if (irqchip !== undefined) {
    setLapicFeatures(irqchip, vcpu.index, {
      x2apic: guestHas(vcpu, 1, 'ecx', 21),
      tscDeadline: guestHas(vcpu, 1, 'ecx', 24),
      physicalBits: kvm.features.physicalBits,
    });
  }
  updateCr4Owner(kvm, vcpu);
  const { secondary } = vcpu.vmcs;
  const hasPid = guestHas(vcpu, 0x80000001, 'edx', 27) || guestHas(vcpu, 7, 'ecx', 22);
  const enabled = (hasPid ? SECONDARY_RDTSCP : 0) | (guestHas(vcpu, 7, 'ebx', 10) ? SECONDARY_INVPCID : 0);
  const exiting =
    (guestHas(vcpu, 1, 'ecx', 30) ? 0 : SECONDARY_RDRAND) | (guestHas(vcpu, 7, 'ebx', 18) ? 0 : SECONDARY_RDSEED);
  writeControl(kvm, vcpu, 'secondary', (secondary & ~BY_FEATURE) | enabled | exiting);
  return 0;
}

function setMpState(kvm: KvmContext, vcpu: VcpuState, { mpState }: io.MpState): number {
  if (mpState > MAX_MP_STATE || (vmOf(kvm).irqchip === undefined && mpState !== 0)) return -EINVAL;
  if (mpState === MP_SIPI_RECEIVED) {
    vcpu.mpState = 2;
    vcpu.events.sipiPending = true;
  } else {
    vcpu.mpState = mpState;
  }
  vcpu.blockedAt = -1;
  request(vcpu, REQ_EVENT);
  return 0;
}

function getEvents(vcpu: VcpuState, out: io.VcpuEvents): number {
  const { exception, interrupt, nmi } = vcpu.events;
  out.exception = {
    injected: exception.injected,
    pending: exception.pending,
    nr: exception.vector,
    hasErrorCode: exception.hasError,
    errorCode: exception.errorCode,
    payload: exception.payload,
  };
  out.interrupt = {
    injected: interrupt.injected && !interrupt.soft,
    nr: interrupt.vector,
    soft: false,
    shadow: vcpu.at.interruptibility & SHADOW_BITS,
  };
  out.nmi = {
    injected: nmi.injected,
    pending: nmi.pending > 0,
    masked: (vcpu.at.interruptibility & NMI_BLOCKED) !== 0,
  };
  out.sipiVector = 0;
  out.tripleFault = (vcpu.requests & REQ_TRIPLE_FAULT) !== 0;
  out.flags = VALID_NMI_PENDING | VALID_SHADOW;
  return 0;
}

function setEvents(kvm: KvmContext, vcpu: VcpuState, e: io.VcpuEvents): number {
  const { events } = vcpu;
  events.exception = {
    injected: e.exception.injected,
    pending: e.exception.pending,
    vector: e.exception.nr,
    hasError: e.exception.hasErrorCode,
    errorCode: e.exception.errorCode,
    payload: e.exception.payload,
  };
  events.interrupt = { injected: e.interrupt.injected, vector: e.interrupt.nr, soft: e.interrupt.soft };
  const registers = kvm.guest.registers(vcpu.index);
  if ((e.flags & VALID_SHADOW) !== 0) {
    registers.interruptibility = (registers.interruptibility & ~SHADOW_BITS) | e.interrupt.shadow;
  }
  events.nmi.injected = e.nmi.injected;
  if ((e.flags & VALID_NMI_PENDING) !== 0) events.nmi.pending = e.nmi.pending ? 1 : 0;
  registers.interruptibility = (registers.interruptibility & ~NMI_BLOCKED) | (e.nmi.masked ? NMI_BLOCKED : 0);
  if ((e.flags & VALID_SIPI_VECTOR) !== 0) events.sipiVector = e.sipiVector;
  if ((e.flags & VALID_TRIPLE_FAULT) !== 0 && e.tripleFault) request(vcpu, REQ_TRIPLE_FAULT);
  vcpu.at.stale = true;
  request(vcpu, REQ_EVENT);
  return 0;
}
