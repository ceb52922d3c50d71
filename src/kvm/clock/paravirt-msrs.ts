import { vmOf } from '../context.ts';
import { type MsrRow, type MsrRows, setMsr } from '../vcpu/msr-rows.ts';
import { writeWallClock } from './kvmclock.ts';
import { MSR_KVM } from '../../x86/msrs.ts';

export const WALL_CLOCK = [MSR_KVM.WALL_CLOCK, MSR_KVM.WALL_CLOCK_NEW] as const;
export const SYSTEM_TIME = [MSR_KVM.SYSTEM_TIME, MSR_KVM.SYSTEM_TIME_NEW] as const;

const wallClock = (index: number): MsrRow => ({
  read: (kvm) => vmOf(kvm).clock.wallClockMsr,
  write: (kvm, vcpu, value) => {
    writeWallClock(kvm.after(setMsr(kvm, vcpu, index, value)), value);
    return true;
  },
  listed: true,
});

/** Bit 0 enables, the rest is the guest-physical address. */
const systemTime = (index: number): MsrRow => ({
  read: (_kvm, vcpu) => vcpu.pv.systemTimeMsr,
  write: (kvm, vcpu, value) => {
    setMsr(kvm, vcpu, index, value);
    return true;
  },
  listed: true,
});

/** Bits 5:1 of the address are reserved. */
const stealTime: MsrRow = {
  read: (_kvm, vcpu) => vcpu.pv.stealMsr,
  write: (kvm, vcpu, value) => {
    if ((value & 0x3en) !== 0n) return false;
    setMsr(kvm, vcpu, MSR_KVM.STEAL_TIME, value);
    return true;
  },
  listed: true,
};

const pvEoi: MsrRow = {
  read: (_kvm, vcpu) => vcpu.pv.eoiMsr,
  write: (kvm, vcpu, value) => {
    if ((value & 2n) !== 0n) return false;
    setMsr(kvm, vcpu, MSR_KVM.PV_EOI_EN, value);
    return true;
  },
  listed: true,
};

/** Bit 0: the host may poll before it halts the vCPU. */
const pollControl: MsrRow = {
  read: (_kvm, vcpu) => vcpu.pv.pollControl,
  write: (kvm, vcpu, value) => {
    if ((value & ~1n) !== 0n) return false;
    setMsr(kvm, vcpu, MSR_KVM.POLL_CONTROL, value);
    return true;
  },
  listed: true,
};

/** Asynchronous page faults are not announced: nothing is ever swapped out. Only "off" is taken. */
const asyncPf: MsrRow = { read: () => 0n, write: (_kvm, _vcpu, value) => value === 0n, listed: true };

/** KVM's own MSRs. Linux Documentation/virt/kvm/x86/msr.rst. */
export function kvmclockMsrs(): MsrRows {
  return [
    ...WALL_CLOCK.map((index) => [index, wallClock(index)] as const),
    ...SYSTEM_TIME.map((index) => [index, systemTime(index)] as const),
    [MSR_KVM.ASYNC_PF_EN, asyncPf],
    [MSR_KVM.STEAL_TIME, stealTime],
    [MSR_KVM.PV_EOI_EN, pvEoi],
    [MSR_KVM.POLL_CONTROL, pollControl],
    [MSR_KVM.ASYNC_PF_INT, asyncPf],
    [MSR_KVM.ASYNC_PF_ACK, asyncPf],
  ];
}
