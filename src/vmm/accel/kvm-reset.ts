import { vcpuSource } from '../../events/stamped.ts';
import type { KvmRunAnswer } from '../../kvm/api.ts';
import { KVM_GET_IRQCHIP, KVM_GET_PIT2, KVM_RUN, KVM_SET_IRQCHIP, KVM_SET_PIT2 } from '../../kvm/ioctl/ioctls.ts';
import type { Machine } from '../board/machine.ts';
import { vmIoctl } from './traced-kvm.ts';

/** What the vCPU being served is to be told when it is taken out of KVM_RUN. */
export interface Served {
  readonly vcpu: number;
  readonly answer: KvmRunAnswer;
}

/**
 * Bring every vCPU out of KVM_RUN with what it was asked for completed, so that nothing is pending when its
 * registers are set: KVM_RUN with `immediate_exit`. Linux Documentation/virt/kvm/api.rst, 5.
 */
export function leaveKvmRun(machine: Machine, served: Served | undefined): void {
  machine.fds.vcpus.forEach((fd, vcpu) => {
    const { kvm } = onThread(machine, vcpu);
    const answer = served?.vcpu === vcpu ? served.answer : {};
    for (let attempt = 0; attempt < LEAVE_LIMIT; attempt++) {
      if (kvm.ioctl(fd, KVM_RUN, { ...(attempt === 0 ? answer : {}), immediateExit: true }) < 0) return;
    }
  });
}

/** Every vCPU's thread enters KVM_RUN. */
export function enterKvmRun(machine: Machine): void {
  machine.fds.vcpus.forEach((fd, vcpu) => onThread(machine, vcpu).kvm.ioctl(fd, KVM_RUN, {}));
}

const onThread = (machine: Machine, vcpu: number): Machine => machine.from(machine.origin.by(vcpuSource(vcpu)));

/** Interrupt controllers and timer as at power-on: what QEMU's models of them write to KVM at reset. */
export function resetInterruptControllers(machine: Machine): void {
  const { vm } = machine.fds;
  for (let chipId = 0; chipId < 2; chipId++) {
    const chip: { chipId: number; state: Record<string, number> } = { chipId, state: {} };
    vmIoctl(machine, vm, KVM_GET_IRQCHIP, chip);
    for (const register of Object.keys(chip.state)) if (register !== 'elcrMask') chip.state[register] = 0;
    vmIoctl(machine, vm, KVM_SET_IRQCHIP, chip);
  }
  const redirtbl = Array.from({ length: 24 }, () => MASKED_ENTRY);
  const ioapic = { baseAddress: 0xfec00000, ioregsel: 0, id: 0, irr: 0, redirtbl };
  vmIoctl(machine, vm, KVM_SET_IRQCHIP, { chipId: 2, state: ioapic });
  resetPit(machine);
}

/** All channels in mode 3 with the longest count, as QEMU's pit_reset_common. */
function resetPit(machine: Machine): void {
  const pit: { channels: Record<string, number>[]; flags: number } = { channels: [], flags: 0 };
  vmIoctl(machine, machine.fds.vm, KVM_GET_PIT2, pit);
  pit.flags = 0;
  pit.channels.forEach((channel, index) => {
    for (const register of Object.keys(channel)) channel[register] = 0;
    Object.assign(channel, { count: 0x10000, mode: 3, gate: index === 2 ? 0 : 1 });
  });
  vmIoctl(machine, machine.fds.vm, KVM_SET_PIT2, pit);
}

const LEAVE_LIMIT = 4;
const MASKED_ENTRY = 0x10000n;
