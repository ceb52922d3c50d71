import {
  KVM_GET_IRQCHIP,
  KVM_GET_PIT2,
  KVM_SET_DEBUGREGS,
  KVM_SET_IRQCHIP,
  KVM_SET_LAPIC,
  KVM_SET_MSRS,
  KVM_SET_PIT2,
  KVM_SET_VCPU_EVENTS,
  KVM_SET_XCRS,
  KVM_SET_XSAVE,
} from '../kvm/ioctls.ts';
import type { Machine } from './machine.ts';

/**
 * Bring every vCPU out of KVM_RUN with what it was asked for completed, so that nothing is pending when its
 * registers are set: KVM_RUN with `immediate_exit`. Linux Documentation/virt/kvm/api.rst, 5.
 */
export function leaveKvmRun(machine: Machine): void {
  machine.fds.vcpus.forEach((fd, vcpu) => {
    const run = machine.kvm.run(fd);
    run.immediateExit = true;
    for (let attempt = 0; attempt < LEAVE_LIMIT; attempt++) {
      if (machine.kvm.advance(vcpu, 0) === 'userspace' && run.exitReason === EXIT_INTR) break;
    }
    run.immediateExit = false;
  });
}

/** Interrupt controllers and timer as at power-on: what QEMU's models of them write to KVM at reset. */
export function resetInterruptControllers(machine: Machine): void {
  const { kvm, fds } = machine;
  for (let chipId = 0; chipId < 2; chipId++) {
    const chip: { chipId: number; state: Record<string, number> } = { chipId, state: {} };
    kvm.ioctl(fds.vm, KVM_GET_IRQCHIP, chip);
    for (const register of Object.keys(chip.state)) if (register !== 'elcrMask') chip.state[register] = 0;
    kvm.ioctl(fds.vm, KVM_SET_IRQCHIP, chip);
  }
  const redirtbl = Array.from({ length: 24 }, () => MASKED_ENTRY);
  const ioapic = { baseAddress: 0xfec00000, ioregsel: 0, id: 0, irr: 0, redirtbl };
  kvm.ioctl(fds.vm, KVM_SET_IRQCHIP, { chipId: 2, state: ioapic });
  resetPit(machine);
}

/** What a vCPU keeps outside its general and segment registers. SDM Vol. 3, Table 10-1. */
export function resetVcpuExtras(machine: Machine, vcpu: number): void {
  const fd = machine.fds.vcpus[vcpu]!;
  const { kvm } = machine;
  kvm.ioctl(fd, KVM_SET_XSAVE, { region: initialXsave() });
  kvm.ioctl(fd, KVM_SET_XCRS, { xcrs: [{ xcr: 0, value: 1n }] });
  // One at a time: a register KVM does not have must not keep the others from their values.
  for (const [index, data] of RESET_MSRS) kvm.ioctl(fd, KVM_SET_MSRS, { entries: [{ index, data }] });
  kvm.ioctl(fd, KVM_SET_DEBUGREGS, { db: [0n, 0n, 0n, 0n], dr6: 0xffff0ff0n, dr7: 0x400n });
  kvm.ioctl(fd, KVM_SET_LAPIC, { regs: initialLapic(vcpu) });
  kvm.ioctl(fd, KVM_SET_VCPU_EVENTS, {
    exception: { injected: false, pending: false, nr: 0, hasErrorCode: false, errorCode: 0, payload: undefined },
    interrupt: { injected: false, nr: 0, soft: false, shadow: 0 },
    nmi: { injected: false, pending: false, masked: false },
    sipiVector: 0,
    tripleFault: false,
    flags: VALID_NMI_PENDING | VALID_SIPI_VECTOR | VALID_SHADOW,
  });
}

/** All channels in mode 3 with the longest count, as QEMU's pit_reset_common. */
function resetPit(machine: Machine): void {
  const pit: { channels: Record<string, number>[]; flags: number } = { channels: [], flags: 0 };
  machine.kvm.ioctl(machine.fds.vm, KVM_GET_PIT2, pit);
  pit.flags = 0;
  pit.channels.forEach((channel, index) => {
    for (const register of Object.keys(channel)) channel[register] = 0;
    Object.assign(channel, { count: 0x10000, mode: 3, gate: index === 2 ? 0 : 1 });
  });
  machine.kvm.ioctl(machine.fds.vm, KVM_SET_PIT2, pit);
}

/** FCW 037f, MXCSR 1f80, the rest zero, in the legacy region of an XSAVE area. SDM Vol. 1, 13.4.1. */
function initialXsave(): Uint8Array {
  const area = new Uint8Array(576);
  const view = new DataView(area.buffer);
  view.setUint16(0, 0x37f, true);
  view.setUint32(24, 0x1f80, true);
  return area;
}

/** The first processor's LINT0 passes the PICs' interrupts on. SDM Vol. 3, 11.4.7.1; QEMU's apic_designate_bsp. */
function initialLapic(vcpu: number): Uint8Array {
  const page = new Uint8Array(0x400);
  const view = new DataView(page.buffer);
  view.setUint32(0x20, vcpu << 24, true);
  view.setUint32(0x30, 0x50014, true);
  view.setUint32(0xe0, 0xffffffff, true);
  view.setUint32(0xf0, 0xff, true);
  for (let lvt = 0x320; lvt <= 0x370; lvt += 0x10) view.setUint32(lvt, LVT_MASKED, true);
  if (vcpu === 0) view.setUint32(0x350, LVT_EXTINT, true);
  return page;
}

const LEAVE_LIMIT = 4;
const EXIT_INTR = 10;
const MASKED_ENTRY = 0x10000n;
const LVT_MASKED = 0x10000;
const LVT_EXTINT = 0x700;
const VALID_NMI_PENDING = 1;
const VALID_SIPI_VECTOR = 2;
const VALID_SHADOW = 4;

/** SYSENTER, STAR and its kin, PAT, MISC_ENABLE, MTRRs off, and KVM's own: clock, async faults, steal time, EOI. */
const RESET_MSRS: readonly (readonly [number, bigint])[] = [
  [0x174, 0n],
  [0x175, 0n],
  [0x176, 0n],
  [0x277, 0x0007040600070406n],
  [0x1a0, 1n],
  [0x2ff, 0n],
  [0xc0000081, 0n],
  [0xc0000082, 0n],
  [0xc0000083, 0n],
  [0xc0000084, 0n],
  [0xc0000102, 0n],
  [0x4b564d01, 0n],
  [0x4b564d00, 0n],
  [0x4b564d02, 0n],
  [0x4b564d04, 0n],
  [0x4b564d03, 0n],
  [0x4b564d05, 1n],
];
