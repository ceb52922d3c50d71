import { invariant } from '../../base/invariant.ts';
import type { MachineEvent } from '../../events/vocabulary.ts';
import type { IoctlArgument, IoctlArguments, IoctlRequest, Kvm } from '../../kvm/api.ts';

/** Who makes system calls and tells them, with QEMU's trace event for each of the three kinds of descriptor. */
export interface TracedKvm {
  readonly kvm: Kvm;
  raise(event: MachineEvent): number;
}

/** An ioctl on /dev/kvm that must succeed. */
export function kvmIoctl<R extends IoctlRequest>(
  caller: TracedKvm,
  fd: number,
  type: R,
  ...given: IoctlArgument<R>
): number {
  caller.raise({ kind: 'kvm_ioctl', type, arg: shown(given[0]) });
  return demanded(type, caller.kvm.ioctl(fd, type, given[0] as IoctlArguments[R]));
}

/** An ioctl on a VM that must succeed. */
export function vmIoctl<R extends IoctlRequest>(
  caller: TracedKvm,
  fd: number,
  type: R,
  ...given: IoctlArgument<R>
): number {
  caller.raise({ kind: 'kvm_vm_ioctl', type, arg: shown(given[0]) });
  return demanded(type, caller.kvm.ioctl(fd, type, given[0] as IoctlArguments[R]));
}

/** An ioctl on a vCPU that must succeed. */
export function vcpuIoctl<R extends IoctlRequest>(
  caller: TracedKvm & { readonly fds: { readonly vcpus: readonly number[] } },
  vcpu: number,
  type: R,
  ...given: IoctlArgument<R>
): number {
  caller.raise({ kind: 'kvm_vcpu_ioctl', cpu_index: vcpu, type, arg: shown(given[0]) });
  return demanded(type, caller.kvm.ioctl(caller.fds.vcpus[vcpu]!, type, given[0] as IoctlArguments[R]));
}

function demanded(type: number, ret: number): number {
  invariant(ret >= 0, 'KVM makes what QEMU asks for', { request: type, ret });
  return ret;
}

/** Numbers show as they are; of a structure QEMU prints the address, which would say nothing here. */
const shown = (arg: unknown): number => (typeof arg === 'number' ? arg : 0);
