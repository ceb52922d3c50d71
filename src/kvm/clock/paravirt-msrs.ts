import { vmOf } from '../context.ts';
import { type MsrRow, type MsrRows, setMsr } from '../vcpu/msr-rows.ts';
import { writeWallClock } from './kvmclock.ts';

/** By number: KVM_SYSTEM_TIME(_NEW), steal time, PV EOI, poll control, KVM_WALL_CLOCK(_NEW). */
export const WALL_CLOCK = [0x11, 0x4b564d00] as const;
export const SYSTEM_TIME = [0x12, 0x4b564d01] as const;
export const STEAL_TIME = 0x4b564d03;
export const PV_EOI = 0x4b564d04;
export const POLL_CONTROL = 0x4b564d05;

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
    setMsr(kvm, vcpu, STEAL_TIME, value);
    return true;
  },
  listed: true,
};

const pvEoi: MsrRow = {
  read: (_kvm, vcpu) => vcpu.pv.eoiMsr,
  write: (kvm, vcpu, value) => {
    if ((value & 2n) !== 0n) return false;
    setMsr(kvm, vcpu, PV_EOI, value);
    return true;
  },
  listed: true,
};

/** Bit 0: the host may poll before it halts the vCPU. */
const pollControl: MsrRow = {
  read: (_kvm, vcpu) => vcpu.pv.pollControl,
  write: (kvm, vcpu, value) => {
    if ((value & ~1n) !== 0n) return false;
    setMsr(kvm, vcpu, POLL_CONTROL, value);
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
    [0x4b564d02, asyncPf],
    [STEAL_TIME, stealTime],
    [PV_EOI, pvEoi],
    [POLL_CONTROL, pollControl],
    [0x4b564d06, asyncPf],
    [0x4b564d07, asyncPf],
  ];
}
