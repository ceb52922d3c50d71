import { type KvmContext, vmOf } from './context.ts';
import { EBADF, EBUSY, EEXIST, EINVAL, ENOENT } from './errno.ts';
import { RESAMPLE_SOURCE, setAckNotifier, setIrqLine, USERSPACE_SOURCE } from './irqchip/index.ts';
import type { Ioeventfd, Irqfd } from './ioctls.ts';
import type { IrqchipState } from './irqchip/state.ts';
import type { IoeventfdState, IrqfdState } from './state.ts';
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
  for (const irqfd of irqfds) if (irqfd.fd === fd) injectIrqfd(kvm, irqchip, irqfd, file);
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
  const file = fileOf(kvm, arg.fd);
  if (vm.irqchip === undefined || (arg.flags & ~(DEASSIGN | RESAMPLE)) !== 0) return -EINVAL;
  if (file?.kind !== 'eventfd') return file === undefined ? -EBADF : -EINVAL;
  if ((arg.flags & DEASSIGN) !== 0) return deassignIrqfd(kvm, vm.irqchip, arg);
  if (vm.irqfds.some((irqfd) => irqfd.fd === arg.fd)) return -EBUSY;
  const resamplefd = (arg.flags & RESAMPLE) !== 0 ? (arg.resamplefd ?? -1) : undefined;
  if (resamplefd !== undefined && fileOf(kvm, resamplefd)?.kind !== 'eventfd') return -EINVAL;
  const irqfd = { fd: arg.fd, gsi: arg.gsi, resamplefd };
  vm.irqfds.push(irqfd);
  if (resamplefd !== undefined) setAckNotifier(vm.irqchip, arg.gsi, true);
  // An eventfd signalled before it was bound interrupts now.
  if (file.count > 0) injectIrqfd(kvm, vm.irqchip, irqfd, file);
  return 0;
}

/** irqfd_shutdown: the last resampling eventfd of a GSI takes its level away. */
function deassignIrqfd(kvm: KvmContext, irqchip: IrqchipState, { fd, gsi }: Irqfd): number {
  const vm = vmOf(kvm);
  const resampled = (): boolean => vm.irqfds.some((irqfd) => irqfd.gsi === gsi && irqfd.resamplefd !== undefined);
  const before = resampled();
  vm.irqfds = vm.irqfds.filter((irqfd) => irqfd.fd !== fd || irqfd.gsi !== gsi);
  if (before && !resampled()) {
    setAckNotifier(irqchip, gsi, false);
    setIrqLine(irqchip, gsi, RESAMPLE_SOURCE, false, kvm.irq);
  }
  return 0;
}

/** irqfd_inject: an edge, or the level a resampling one holds until the guest acknowledges. */
function injectIrqfd(kvm: KvmContext, irqchip: IrqchipState, irqfd: IrqfdState, file: { count: number }): void {
  file.count = 0;
  if (irqfd.resamplefd !== undefined) {
    setIrqLine(irqchip, irqfd.gsi, RESAMPLE_SOURCE, true, kvm.irq);
    return;
  }
  setIrqLine(irqchip, irqfd.gsi, USERSPACE_SOURCE, true, kvm.irq);
  setIrqLine(irqchip, irqfd.gsi, USERSPACE_SOURCE, false, kvm.irq);
}

/** KVM_IOEVENTFD. */
export function assignIoeventfd(kvm: KvmContext, arg: Ioeventfd): number {
  const vm = vmOf(kvm);
  const known = DATAMATCH | PIO | IOEVENTFD_DEASSIGN;
  if (![0, 1, 2, 4, 8].includes(arg.len) || (arg.flags & ~known) !== 0) return -EINVAL;
  if (arg.len === 0 && (arg.flags & DATAMATCH) !== 0) return -EINVAL;
  const file = fileOf(kvm, arg.fd);
  if (file?.kind !== 'eventfd') return file === undefined ? -EBADF : -EINVAL;
  const pio = (arg.flags & PIO) !== 0;
  const datamatch = (arg.flags & DATAMATCH) !== 0 ? arg.datamatch : undefined;
  const wanted = { fd: arg.fd, addr: arg.addr, len: arg.len, pio, datamatch };
  if ((arg.flags & IOEVENTFD_DEASSIGN) !== 0) {
    const at = vm.ioeventfds.findIndex(
      (e) => e.fd === arg.fd && e.len === arg.len && e.datamatch === datamatch && collide(e, wanted),
    );
    if (at < 0) return -ENOENT;
    vm.ioeventfds.splice(at, 1);
    return 0;
  }
  if (vm.ioeventfds.some((e) => collide(e, wanted))) return -EEXIST;
  vm.ioeventfds.push(wanted);
  return 0;
}

/** ioeventfd_check_collision: one write could mean both. */
function collide(a: IoeventfdState, b: IoeventfdState): boolean {
  if (a.pio !== b.pio || a.addr !== b.addr) return false;
  if (a.len === 0 || b.len === 0) return true;
  return a.len === b.len && (a.datamatch === undefined || b.datamatch === undefined || a.datamatch === b.datamatch);
}

/** Whether writes of any width to this address are eventfds: KVM_FAST_MMIO_BUS. */
export const hasFastWrite = (kvm: KvmContext, addr: number): boolean =>
  vmOf(kvm).ioeventfds.some((e) => !e.pio && e.len === 0 && e.addr === addr);

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
