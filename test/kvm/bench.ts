import type { MachineEvent } from '../../src/events/vocabulary.ts';
import type { Emulated } from '../../src/kvm/guest.ts';
import * as io from '../../src/kvm/ioctls.ts';
import { createKvm, type KvmKernel } from '../../src/kvm/kvm.ts';
import { createFakeGuest, type FakeGuest, type Scripted } from './fake-guest.ts';

/** A VM with one vCPU and 1 MiB of memory over a scripted processor. */
export interface Bench {
  kvm: KvmKernel;
  guest: FakeGuest;
  events: MachineEvent[];
  vm: number;
  vcpu: number;
}

/** Names of events, in order. */
export const kinds = (events: readonly MachineEvent[]): string[] => events.map((event) => event.kind);

/** A fresh one; events of its making are forgotten. */
export function bench(script: Scripted[], emulations: Emulated[] = [], irqchip = true): Bench {
  const guest = createFakeGuest(script, emulations);
  const events: MachineEvent[] = [];
  const kvm = createKvm(guest, {
    now: () => guest.ticks * 8,
    hostTsc: () => BigInt(guest.ticks * 16),
    raise: (event) => void events.push(event),
    wallClockAtPowerOn: 0n,
  });
  const fd = kvm.open();
  const vm = kvm.ioctl(fd, io.KVM_CREATE_VM);
  if (irqchip) kvm.ioctl(vm, io.KVM_CREATE_IRQCHIP);
  const vcpu = kvm.ioctl(vm, io.KVM_CREATE_VCPU, 0);
  const supported: io.CpuidTable = { entries: [] };
  kvm.ioctl(fd, io.KVM_GET_SUPPORTED_CPUID, supported);
  kvm.ioctl(vcpu, io.KVM_SET_CPUID2, supported);
  kvm.ioctl(vm, io.KVM_SET_USER_MEMORY_REGION, {
    slot: 0,
    flags: 0,
    guestPhysAddr: 0,
    memorySize: 0x100000,
    userspaceAddr: 0,
  });
  events.length = 0;
  return { kvm, guest, events, vm, vcpu };
}
