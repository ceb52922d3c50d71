import { invariant } from '../base/invariant.ts';
import type { Kvm } from '../kvm/api.ts';
import {
  type CpuidTable,
  KVM_CREATE_IRQCHIP,
  KVM_CREATE_PIT2,
  KVM_CREATE_VCPU,
  KVM_CREATE_VM,
  KVM_GET_API_VERSION,
  KVM_GET_SUPPORTED_CPUID,
  KVM_GET_VCPU_MMAP_SIZE,
  KVM_SET_CPUID2,
  KVM_SET_GSI_ROUTING,
  KVM_SET_IDENTITY_MAP_ADDR,
  KVM_SET_TSS_ADDR,
} from '../kvm/ioctls.ts';
import { cpuidOf } from './cpuid.ts';
import type { VmmHost } from './host.ts';
import type { VmFds } from './machine.ts';
import type { ProcessorId } from './pc/machine-tables.ts';

/** A virtual machine and what its processors call themselves. */
export interface CreatedVm {
  readonly fds: VmFds;
  readonly processorId: ProcessorId;
}

/** Make a virtual machine with in-kernel interrupt controllers, in the order QEMU 7.2 makes its ioctls. */
export function createVm(kvm: Kvm, host: VmmHost, cpus: number): CreatedVm {
  const kvmFd = kvm.open();
  const demand = (fd: number, request: number, arg?: unknown): number => {
    const ret = kvm.ioctl(fd, request, arg);
    invariant(ret >= 0, 'KVM makes what QEMU asks for', { request, ret });
    return ret;
  };
  demand(kvmFd, KVM_GET_API_VERSION);
  const vm = demand(kvmFd, KVM_CREATE_VM, 0);
  demand(vm, KVM_SET_IDENTITY_MAP_ADDR, IDENTITY_MAP);
  demand(vm, KVM_SET_TSS_ADDR, IDENTITY_MAP + 0x1000);
  demand(vm, KVM_CREATE_IRQCHIP);
  const supported: CpuidTable = { entries: [] };
  demand(kvmFd, KVM_GET_SUPPORTED_CPUID, supported);
  const vcpus: number[] = [];
  for (let id = 0; id < cpus; id++) {
    host.raise({ kind: 'kvm_init_vcpu', index: id, id });
    vcpus.push(demand(vm, KVM_CREATE_VCPU, id));
    demand(kvmFd, KVM_GET_VCPU_MMAP_SIZE);
    demand(vcpus[id]!, KVM_SET_CPUID2, { entries: cpuidOf(supported.entries, id, cpus) });
  }
  const version = supported.entries.find((entry) => entry.function === 1);
  return { fds: { kvm: kvmFd, vm, vcpus }, processorId: [version?.eax ?? 0, version?.edx ?? 0] };
}

/** The routes of a PC, then the timer chip: what QEMU does once the board is there. */
export function createInterruptRoutes(kvm: Kvm, host: VmmHost, vm: number): void {
  host.raise({ kind: 'kvm_irqchip_commit_routes' });
  kvm.ioctl(vm, KVM_SET_GSI_ROUTING, { entries: pcRoutes() });
  kvm.ioctl(vm, KVM_CREATE_PIT2, { flags: PIT_SPEAKER_DUMMY });
}

interface Route {
  readonly gsi: number;
  readonly type: 'irqchip';
  readonly irqchip: number;
  readonly pin: number;
}

/** GSIs 0-15 lead to the two PICs and the IOAPIC alike, but GSI 0 to IOAPIC pin 2; 16-23 to the IOAPIC alone. */
function pcRoutes(): Route[] {
  const routes: Route[] = [];
  for (let gsi = 0; gsi < 16; gsi++) {
    if (gsi !== 2) routes.push({ gsi, type: 'irqchip', irqchip: gsi >> 3, pin: gsi & 7 });
  }
  for (let gsi = 0; gsi < 24; gsi++) {
    if (gsi !== 2) routes.push({ gsi, type: 'irqchip', irqchip: 2, pin: gsi === 0 ? 2 : gsi });
  }
  return routes;
}

/** Pages KVM needs below 4 GiB on Intel hosts. */
const IDENTITY_MAP = 0xfeffc000;
const PIT_SPEAKER_DUMMY = 1;
