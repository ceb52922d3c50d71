import { type KvmContext, vmOf } from './context.ts';
import { EEXIST, EINVAL, ENOENT } from './errno.ts';
import { RESAMPLE_SOURCE, setAckNotifier, setIrqLine, USERSPACE_SOURCE } from './irqchip/index.ts';
import type { Ioeventfd, Irqfd } from './ioctls.ts';
import { fileOf } from './files.ts';

const DEASSIGN = 1;
const RESAMPLE = 2;
const DATAMATCH = 1;
const PIO = 2;
const IOEVENTFD_DEASSIGN = 4;

/** Write 1 to an eventfd: an irqfd bound to it moves its GSI at once. */
export function signalEventfd(kvm: KvmContext, fd: number, by: string): void {
  const file = fileOf(kvm, fd);
  if (file?.kind !== 'eventfd') return;
  file.count += 1;
  kvm.host.raise({ kind: 'sim:eventfd_signal', fd, n: 1, by });
  const { irqchip, irqfds } = vmOf(kvm);
  if (irqchip === undefined) return;
  for (const irqfd of irqfds) {
    if (irqfd.fd !== fd) continue;
    file.count = 0;
    if (irqfd.resamplefd !== undefined) {
      setIrqLine(irqchip, irqfd.gsi, RESAMPLE_SOURCE, true, kvm.irq);
      continue;
    }
    setIrqLine(irqchip, irqfd.gsi, USERSPACE_SOURCE, true, kvm.irq);
    setIrqLine(irqchip, irqfd.gsi, USERSPACE_SOURCE, false, kvm.irq);
  }
}

/** Read an eventfd: its count, which becomes zero. */
export function consumeEventfd(kvm: KvmContext, fd: number, by: string): number {
  const file = fileOf(kvm, fd);
  if (file?.kind !== 'eventfd' || file.count === 0) return 0;
  const n = file.count;
  file.count = 0;
  kvm.host.raise({ kind: 'sim:eventfd_consume', fd, n, by });
  return n;
}

/** The guest acknowledged a resampling irqfd's GSI: the line falls, user space is told. */
export function resample(kvm: KvmContext, gsi: number): void {
  const { irqchip, irqfds } = vmOf(kvm);
  if (irqchip === undefined) return;
  for (const irqfd of irqfds) {
    if (irqfd.gsi !== gsi || irqfd.resamplefd === undefined) continue;
    setIrqLine(irqchip, gsi, RESAMPLE_SOURCE, false, kvm.irq);
    signalEventfd(kvm, irqfd.resamplefd, 'resample');
  }
}

/** KVM_IRQFD. */
export function assignIrqfd(kvm: KvmContext, arg: Irqfd): number {
  const vm = vmOf(kvm);
  if (vm.irqchip === undefined || fileOf(kvm, arg.fd)?.kind !== 'eventfd') return -EINVAL;
  if ((arg.flags & DEASSIGN) !== 0) {
    vm.irqfds = vm.irqfds.filter((irqfd) => irqfd.fd !== arg.fd || irqfd.gsi !== arg.gsi);
    return 0;
  }
  const resamplefd = (arg.flags & RESAMPLE) !== 0 ? arg.resamplefd : undefined;
  vm.irqfds.push({ fd: arg.fd, gsi: arg.gsi, resamplefd });
  if (resamplefd !== undefined) setAckNotifier(vm.irqchip, arg.gsi, true);
  return 0;
}

/** KVM_IOEVENTFD. */
export function assignIoeventfd(kvm: KvmContext, arg: Ioeventfd): number {
  const vm = vmOf(kvm);
  if (![0, 1, 2, 4, 8].includes(arg.len) || fileOf(kvm, arg.fd)?.kind !== 'eventfd') return -EINVAL;
  if (arg.len === 0 && (arg.flags & DATAMATCH) !== 0) return -EINVAL;
  const pio = (arg.flags & PIO) !== 0;
  const datamatch = (arg.flags & DATAMATCH) !== 0 ? arg.datamatch : undefined;
  const at = vm.ioeventfds.findIndex(
    (e) => e.addr === arg.addr && e.len === arg.len && e.pio === pio && e.datamatch === datamatch,
  );
  if ((arg.flags & IOEVENTFD_DEASSIGN) !== 0) {
    if (at < 0) return -ENOENT;
    vm.ioeventfds.splice(at, 1);
    return 0;
  }
  if (at >= 0) return -EEXIST;
  vm.ioeventfds.push({ fd: arg.fd, addr: arg.addr, len: arg.len, pio, datamatch });
  return 0;
}

/** ioeventfd_write: true when a registered eventfd took the access. `length` 0 asks for address-only matches. */
export function ioeventfdWrite(kvm: KvmContext, pio: boolean, addr: number, length: number, value: bigint): boolean {
  for (const e of vmOf(kvm).ioeventfds) {
    if (e.pio !== pio || e.addr !== addr) continue;
    if (e.len !== 0 && (e.len !== length || (e.datamatch !== undefined && e.datamatch !== value))) continue;
    signalEventfd(kvm, e.fd, 'ioeventfd');
    return true;
  }
  return false;
}
