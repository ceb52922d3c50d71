import type { Kvm } from '../../src/kvm/api.ts';
import * as io from '../../src/kvm/ioctl/ioctls.ts';
import type { Vmm } from '../../src/vmm/index.ts';

/** A monitor that does nothing. */
export const IDLE_MONITOR: Vmm = {
  service: () => undefined,
  expire: () => false,
  handle: () => 0,
  read: () => 0,
  serveVhost: () => ({ client: '', queue: 0, elements: 0, end: 'idle' }),
  receive: () => undefined,
  setLink: () => undefined,
  measureDirtyRate: () => undefined,
  announce: () => undefined,
  pressReset: () => undefined,
  pressNmi: () => undefined,
  wakeUp: () => undefined,
  goOn: () => undefined,
  resizeDrive: () => undefined,
  awaitsAlarm: false,
  restored: () => undefined,
  ownerOf: () => undefined,
  peek: (_gpa, length) => new Uint8Array(length),
  describeDevice: () => undefined,
  deviceNames: [],
  memoryTrees: () => [],
  describeFlat: () => '',
};

/** So many vCPUs with all that is supported, and a mebibyte of memory from 0 up. Returns the vCPUs' descriptors. */
export function populate(kvm: Kvm, system: number, vm: number, count: number): readonly number[] {
  const supported: io.CpuidTable = { entries: [] };
  kvm.ioctl(system, io.KVM_GET_SUPPORTED_CPUID, supported);
  const vcpus = Array.from({ length: count }, (_, id) => {
    const vcpu = kvm.ioctl(vm, io.KVM_CREATE_VCPU, id);
    kvm.ioctl(vcpu, io.KVM_SET_CPUID2, supported);
    return vcpu;
  });
  const slot = { slot: 0, flags: 0, guestPhysAddr: 0, memorySize: 0x100000, userspaceAddr: 0 };
  kvm.ioctl(vm, io.KVM_SET_USER_MEMORY_REGION, slot);
  return vcpus;
}

/** System calls as a program in C makes them: any number, any argument. */
export interface UntypedCalls {
  ioctl(fd: number, request: number, arg?: unknown): number;
}

/** The same system calls without what the compiler knows of them. */
export const untyped = (kvm: Kvm): UntypedCalls => kvm as unknown as UntypedCalls;
