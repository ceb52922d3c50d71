/** Requests of a vCPU's descriptor. Linux kvm_vcpu_ioctl, kvm_arch_vcpu_ioctl. */
import { TSC_KHZ } from '../clock/tsc.ts';
import { type KvmContext, vmOf } from '../context.ts';
import { getVcpuAttribute, hasVcpuAttribute, setVcpuAttribute } from './device-attributes.ts';
import { EINVAL, ENXIO } from '../../base/errno.ts';
import { isValidXcr0, setXcr0 } from '../exits/registers.ts';
import { guestDr, setGuestDebug, setGuestDr } from '../vcpu/guest-debug.ts';
import { setCpuid } from './cpuid.ts';
import { getEvents, setEvents } from './events.ts';
import type { IoctlTable } from './arguments.ts';
import * as io from './ioctls.ts';
import { getLapic, setLapic } from '../irqchip/index.ts';
import { readMsr, writeMsr } from '../vcpu/msrs.ts';
import { getRegs, getSregs, setRegs, setSregs } from '../vcpu/registers.ts';
import type { VcpuState } from '../state.ts';
import { packMsrs } from './structs.ts';
import { injectNmi } from '../vcpu/nmi.ts';
import { enterRun } from '../vcpu/run.ts';

const MAX_MP_STATE = 4;
/** Bytes of FXSAVE within an XSAVE area. */
const LEGACY_REGION = 512;

/** By request number. */
export const VCPU_IOCTLS: IoctlTable<[kvm: KvmContext, vcpu: VcpuState]> = {
  [io.KVM_RUN]: (kvm, vcpu, answer) => enterRun(kvm, vcpu, answer ?? {}),
  [io.KVM_GET_REGS]: (kvm, vcpu, regs) => getRegs(kvm, vcpu, regs),
  [io.KVM_SET_REGS]: (kvm, vcpu, regs) => setRegs(kvm, vcpu, regs),
  [io.KVM_GET_SREGS]: (kvm, vcpu, sregs) => getSregs(kvm, vcpu, sregs),
  [io.KVM_SET_SREGS]: (kvm, vcpu, sregs) => setSregs(kvm, vcpu, sregs),
  [io.KVM_GET_SREGS2]: (kvm, vcpu, sregs) => getSregs(kvm, vcpu, sregs),
  [io.KVM_SET_SREGS2]: (kvm, vcpu, sregs) => setSregs(kvm, vcpu, sregs),
  [io.KVM_GET_MSRS]: (kvm, vcpu, list) => {
    let done = 0;
    for (const entry of list.entries) {
      const value = readMsr(kvm, vcpu, entry.index, true);
      if (value === undefined) break;
      entry.data = value;
      done += 1;
    }
    return done;
  },
  [io.KVM_SET_MSRS]: setMsrs,
  [io.KVM_SET_CPUID]: setCpuid,
  [io.KVM_SET_CPUID2]: setCpuid,
  [io.KVM_GET_CPUID2]: (_kvm, vcpu, table) => {
    table.entries = vcpu.cpuid.map((entry) => ({ ...entry }));
    return 0;
  },
  [io.KVM_GET_LAPIC]: (kvm, vcpu, out) => {
    const { irqchip } = vmOf(kvm);
    if (irqchip === undefined) return -EINVAL;
    out.regs = getLapic(irqchip.lapics[vcpu.index]!, kvm.now());
    return 0;
  },
  [io.KVM_SET_LAPIC]: (kvm, vcpu, page) => {
    if (vmOf(kvm).irqchip === undefined) return -EINVAL;
    setLapic(kvm, vcpu.index, page.regs);
    return 0;
  },
  [io.KVM_GET_MP_STATE]: (_kvm, vcpu, out) => {
    out.mpState = vcpu.mpState;
    return 0;
  },
  [io.KVM_SET_MP_STATE]: setMpState,
  [io.KVM_NMI]: (kvm, vcpu) => {
    injectNmi(kvm.after(kvm.raise({ kind: 'ioctl:KVM_NMI', vcpu_id: vcpu.index })), vcpu);
    return 0;
  },
  [io.KVM_INTERRUPT]: (kvm, vcpu, { irq }) => {
    if (irq > 255) return -EINVAL;
    if (vmOf(kvm).irqchip !== undefined) return -ENXIO;
    kvm.raise({ kind: 'ioctl:KVM_INTERRUPT', vcpu_id: vcpu.index, irq });
    return 0;
  },
  [io.KVM_GET_VCPU_EVENTS]: getEvents,
  [io.KVM_SET_VCPU_EVENTS]: setEvents,
  [io.KVM_GET_DEBUGREGS]: (kvm, vcpu, out) => {
    out.db = [0, 1, 2, 3].map((index) => guestDr(kvm, vcpu, index));
    out.dr6 = guestDr(kvm, vcpu, 6);
    out.dr7 = guestDr(kvm, vcpu, 7);
    return 0;
  },
  [io.KVM_SET_DEBUGREGS]: setDebugRegisters,
  [io.KVM_GET_XSAVE]: getXsave,
  [io.KVM_GET_XSAVE2]: getXsave,
  [io.KVM_SET_XSAVE]: (kvm, vcpu, { region }) => {
    kvm.raise({ kind: 'ioctl:KVM_SET_XSAVE', vcpu_id: vcpu.index, region });
    kvm.guest.registers(vcpu.index).setXsave(region);
    return 0;
  },
  [io.KVM_GET_FPU]: (kvm, vcpu, out) => {
    out.region = kvm.guest.registers(vcpu.index).xsave().slice(0, LEGACY_REGION);
    return 0;
  },
  [io.KVM_SET_FPU]: (kvm, vcpu, area) => {
    const region = area.region.slice(0, LEGACY_REGION);
    kvm.raise({ kind: 'ioctl:KVM_SET_FPU', vcpu_id: vcpu.index, region });
    const registers = kvm.guest.registers(vcpu.index);
    const whole = registers.xsave().slice();
    whole.set(region);
    registers.setXsave(whole);
    return 0;
  },
  [io.KVM_GET_XCRS]: (_kvm, vcpu, out) => {
    out.xcrs = [{ xcr: 0, value: vcpu.xcr0 }];
    return 0;
  },
  [io.KVM_SET_XCRS]: setXcrs,
  [io.KVM_SET_TSC_KHZ]: (_kvm, _vcpu, khz) => (khz === 0 || khz === TSC_KHZ ? 0 : -EINVAL),
  [io.KVM_GET_TSC_KHZ]: () => TSC_KHZ,
  [io.KVM_KVMCLOCK_CTRL]: (kvm, vcpu) => {
    if ((vcpu.pv.systemTimeMsr & 1n) === 0n) return -EINVAL;
    kvm.raise({ kind: 'ioctl:KVM_KVMCLOCK_CTRL', vcpu_id: vcpu.index });
    return 0;
  },
  [io.KVM_TRANSLATE]: (kvm, vcpu, translation) => {
    const found = kvm.guest.translate(vcpu.index, translation.linearAddress);
    translation.valid = found !== undefined;
    translation.physicalAddress = found?.gpa ?? 0;
    translation.writeable = true;
    translation.usermode = false;
    return 0;
  },
  [io.KVM_SET_GUEST_DEBUG]: (kvm, vcpu, debug) => setGuestDebug(kvm, vcpu, debug),
  [io.KVM_HAS_DEVICE_ATTR]: hasVcpuAttribute,
  [io.KVM_GET_DEVICE_ATTR]: getVcpuAttribute,
  [io.KVM_SET_DEVICE_ATTR]: setVcpuAttribute,
  [io.KVM_X86_SETUP_MCE]: (kvm, vcpu, cap) => {
    const banks = Number(cap & 0xffn);
    if (banks === 0 || banks > 32) return -EINVAL;
    kvm.raise({ kind: 'ioctl:KVM_X86_SETUP_MCE', vcpu_id: vcpu.index, mcg_cap: cap });
    return 0;
  },
  [io.KVM_SET_SIGNAL_MASK]: () => 0,
  [io.KVM_TPR_ACCESS_REPORTING]: () => 0,
  [io.KVM_SET_VAPIC_ADDR]: () => 0,
  [io.KVM_ENABLE_CAP]: () => -EINVAL,
};

/** KVM_SET_MSRS: one after the other, up to the first that is refused. */
function setMsrs(kvm: KvmContext, vcpu: VcpuState, { entries }: io.MsrList): number {
  const told = kvm.raise({ kind: 'ioctl:KVM_SET_MSRS', vcpu_id: vcpu.index, entries: packMsrs(entries) });
  const set = kvm.after(told);
  let done = 0;
  for (const { index, data } of entries) {
    if (!writeMsr(set, vcpu, index, data, true)) break;
    done += 1;
  }
  return done;
}

function setMpState(kvm: KvmContext, vcpu: VcpuState, { mpState }: io.MpState): number {
  if (mpState > MAX_MP_STATE || (vmOf(kvm).irqchip === undefined && mpState !== 0)) return -EINVAL;
  kvm.raise({ kind: 'ioctl:KVM_SET_MP_STATE', vcpu_id: vcpu.index, mp_state: mpState });
  return 0;
}

function setDebugRegisters(kvm: KvmContext, vcpu: VcpuState, { db, dr6, dr7 }: io.DebugRegs): number {
  if ((dr6 | dr7) >> 32n !== 0n) return -EINVAL;
  const [db0 = 0n, db1 = 0n, db2 = 0n, db3 = 0n] = db;
  const told = kvm.raise({ kind: 'ioctl:KVM_SET_DEBUGREGS', vcpu_id: vcpu.index, db0, db1, db2, db3, dr6, dr7 });
  const set = kvm.after(told);
  [db0, db1, db2, db3].forEach((value, index) => setGuestDr(set, vcpu, index, value));
  setGuestDr(set, vcpu, 6, dr6);
  setGuestDr(set, vcpu, 7, dr7);
  return 0;
}

function getXsave(kvm: KvmContext, vcpu: VcpuState, out: io.Xsave): number {
  out.region = kvm.guest.registers(vcpu.index).xsave().slice();
  return 0;
}

/** KVM_SET_XCRS. There is no other than XCR0. */
function setXcrs(kvm: KvmContext, vcpu: VcpuState, { xcrs }: io.Xcrs): number {
  const xcr0 = xcrs.find(({ xcr }) => xcr === 0)?.value;
  if (xcr0 === undefined) return 0;
  if (!isValidXcr0(xcr0)) return -EINVAL;
  setXcr0(kvm.after(kvm.raise({ kind: 'ioctl:KVM_SET_XCRS', vcpu_id: vcpu.index, xcr0 })), vcpu, xcr0);
  return 0;
}
