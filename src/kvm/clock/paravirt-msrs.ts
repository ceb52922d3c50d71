import { REQ_STEAL_UPDATE, request, vmOf } from '../context.ts';
import type { MsrRow, MsrRows } from '../msrs.ts';
import { writeSystemTime, writeWallClock } from './kvmclock.ts';

const wallClock: MsrRow = {
  read: (kvm) => vmOf(kvm).clock.wallClockMsr,
  write: (kvm, _vcpu, value) => {
    writeWallClock(kvm, value);
    return true;
  },
  listed: true,
};

const systemTime: MsrRow = {
  read: (_kvm, vcpu) => vcpu.pv.systemTimeMsr,
  write: (_kvm, vcpu, value) => {
    writeSystemTime(vcpu, value);
    return true;
  },
  listed: true,
};

/** Bits 5:1 of the address are reserved. */
const stealTime: MsrRow = {
  read: (_kvm, vcpu) => vcpu.pv.stealMsr,
  write: (_kvm, vcpu, value) => {
    if ((value & 0x3en) !== 0n) return false;
    vcpu.pv.stealMsr = value;
    request(vcpu, REQ_STEAL_UPDATE);
    return true;
  },
  listed: true,
};

const pvEoi: MsrRow = {
  read: (_kvm, vcpu) => vcpu.pv.eoiMsr,
  write: (_kvm, vcpu, value) => {
    if ((value & 2n) !== 0n) return false;
    vcpu.pv.eoiMsr = value;
    vcpu.pv.eoiPending = false;
    return true;
  },
  listed: true,
};

/** Bit 0: the host may poll before it halts the vCPU. */
const pollControl: MsrRow = {
  read: (_kvm, vcpu) => vcpu.pv.pollControl,
  write: (_kvm, vcpu, value) => {
    if ((value & ~1n) !== 0n) return false;
    vcpu.pv.pollControl = value;
    return true;
  },
  listed: true,
};

/** Asynchronous page faults are not announced: nothing is ever swapped out. Only "off" is taken. */
const asyncPf: MsrRow = { read: () => 0n, write: (_kvm, _vcpu, value) => value === 0n, listed: true };

/** KVM's own MSRs. Linux Documentation/virt/kvm/x86/msr.rst. */
export function kvmclockMsrs(): MsrRows {
  return [
    [0x11, wallClock],
    [0x12, systemTime],
    [0x4b564d00, wallClock],
    [0x4b564d01, systemTime],
    [0x4b564d02, asyncPf],
    [0x4b564d03, stealTime],
    [0x4b564d04, pvEoi],
    [0x4b564d05, pollControl],
    [0x4b564d06, asyncPf],
    [0x4b564d07, asyncPf],
  ];
}
