import { invariant } from '../base/invariant.ts';
import type { Kvm } from '../kvm/api.ts';
import type { VmmHost } from './host.ts';

/** The three kinds of descriptor, each with QEMU's trace event. */
export interface TracedKvm {
  readonly kvm: Kvm;
  readonly host: VmmHost;
}

/** An ioctl on /dev/kvm that must succeed. */
export function kvmIoctl({ kvm, host }: TracedKvm, fd: number, type: number, arg?: unknown): number {
  host.raise({ kind: 'kvm_ioctl', type, arg: shown(arg) });
  return demanded(type, kvm.ioctl(fd, type, arg));
}

/** An ioctl on a VM that must succeed. */
export function vmIoctl({ kvm, host }: TracedKvm, fd: number, type: number, arg?: unknown): number {
  host.raise({ kind: 'kvm_vm_ioctl', type, arg: shown(arg) });
  return demanded(type, kvm.ioctl(fd, type, arg));
}

/** An ioctl on a vCPU that must succeed. */
export function vcpuIoctl(
  { kvm, host, fds }: TracedKvm & { readonly fds: { readonly vcpus: readonly number[] } },
  vcpu: number,
  type: number,
  arg?: unknown,
): number {
  host.raise({ kind: 'kvm_vcpu_ioctl', cpu_index: vcpu, type, arg: shown(arg) });
  return demanded(type, kvm.ioctl(fds.vcpus[vcpu]!, type, arg));
}

function demanded(type: number, ret: number): number {
  invariant(ret >= 0, 'KVM makes what QEMU asks for', { request: type, ret });
  return ret;
}

/** Numbers show as they are; of a structure QEMU prints the address, which would say nothing here. */
const shown = (arg: unknown): number => (typeof arg === 'number' ? arg : 0);
