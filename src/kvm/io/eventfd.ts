import { type KvmContext, vmOf } from '../context.ts';
import { EBADF, EBUSY, EEXIST, EINVAL, ENOENT } from '../../base/errno.ts';
import { fileOf } from '../ioctl/files.ts';
import { pulseGsi, RESAMPLE_SOURCE, setIrqLine } from '../irqchip/index.ts';
import type { Ioeventfd, Irqfd } from '../ioctl/ioctls.ts';
import type { IoeventfdState, IoeventfdsState, IrqfdState } from '../state.ts';

export const IRQFD_DEASSIGN = 1;
export const IRQFD_RESAMPLE = 2;
const IOEVENTFD_DATAMATCH = 1;
const IOEVENTFD_PIO = 2;
export const IOEVENTFD_DEASSIGN = 4;

const countOf = (kvm: KvmContext, fd: number): number => {
  const file = fileOf(kvm, fd);
  return file?.kind === 'eventfd' ? file.count : 0;
};

/** Write 1 to an eventfd: who polls it is woken, an irqfd bound to it moves its GSI at once. */
export function signalEventfd(kvm: KvmContext, fd: number, by: string): void {
  if (fileOf(kvm, fd)?.kind !== 'eventfd') return;
  const signalled = kvm.after(kvm.raise({ kind: 'sim:eventfd_signal', fd, n: 1, by }));
  signalled.wakePollers(fd);
  const { irqchip, irqfds } = vmOf(kvm);
  if (irqchip === undefined) return;
  for (const irqfd of irqfds) if (irqfd.fd === fd) injectIrqfd(signalled, irqfd);
}

/** Read an eventfd: its count, which becomes zero. */
export function consumeEventfd(kvm: KvmContext, fd: number, by: string): number {
  const n = countOf(kvm, fd);
  if (n > 0) kvm.raise({ kind: 'sim:eventfd_consume', fd, n, by });
  return n;
}

/** The guest acknowledged a resampling irqfd's GSI: the line falls, user space is told. */
export function resample(kvm: KvmContext, gsi: number): void {
  for (const irqfd of vmOf(kvm).irqfds) {
    if (irqfd.gsi !== gsi || irqfd.resamplefd === undefined) continue;
    setIrqLine(kvm, gsi, RESAMPLE_SOURCE, false);
    signalEventfd(kvm, irqfd.resamplefd, 'resample');
  }
}

/** KVM_IRQFD. */
export function assignIrqfd(kvm: KvmContext, arg: Irqfd): number {
  const vm = vmOf(kvm);
  const file = fileOf(kvm, arg.fd);
  if (vm.irqchip === undefined || (arg.flags & ~(IRQFD_DEASSIGN | IRQFD_RESAMPLE)) !== 0) return -EINVAL;
  if (file?.kind !== 'eventfd') return file === undefined ? -EBADF : -EINVAL;
  if ((arg.flags & IRQFD_DEASSIGN) !== 0) return deassignIrqfd(kvm, arg);
  if (vm.irqfds.some((irqfd) => irqfd.fd === arg.fd)) return -EBUSY;
  const resamplefd = (arg.flags & IRQFD_RESAMPLE) !== 0 ? (arg.resamplefd ?? -1) : undefined;
  if (resamplefd !== undefined && fileOf(kvm, resamplefd)?.kind !== 'eventfd') return -EINVAL;
  const bound = kvm.after(tellIrqfd(kvm, arg));
  // An eventfd signalled before it was bound interrupts now.
  if (countOf(kvm, arg.fd) > 0) injectIrqfd(bound, { fd: arg.fd, gsi: arg.gsi, resamplefd });
  return 0;
}

const tellIrqfd = (kvm: KvmContext, { fd, gsi, flags, resamplefd = -1 }: Irqfd): number =>
  kvm.raise({ kind: 'ioctl:KVM_IRQFD', fd, gsi, flags, resamplefd });

/** irqfd_shutdown: the last resampling eventfd of a GSI takes its level away. */
function deassignIrqfd(kvm: KvmContext, arg: Irqfd): number {
  const isResampled = (): boolean =>
    vmOf(kvm).irqfds.some((irqfd) => irqfd.gsi === arg.gsi && irqfd.resamplefd !== undefined);
  const before = isResampled();
  const unbound = kvm.after(tellIrqfd(kvm, arg));
  if (before && !isResampled()) setIrqLine(unbound, arg.gsi, RESAMPLE_SOURCE, false);
  return 0;
}

/** irqfd_wakeup: a message or an edge, or the level a resampling one holds until the guest acknowledges. */
function injectIrqfd(kvm: KvmContext, { fd, gsi, resamplefd }: IrqfdState): void {
  consumeEventfd(kvm, fd, 'irqfd');
  if (resamplefd !== undefined) {
    setIrqLine(kvm, gsi, RESAMPLE_SOURCE, true);
    return;
  }
  pulseGsi(kvm, gsi);
}

/** KVM_IOEVENTFD. */
export function assignIoeventfd(kvm: KvmContext, arg: Ioeventfd): number {
  const known = IOEVENTFD_DATAMATCH | IOEVENTFD_PIO | IOEVENTFD_DEASSIGN;
  if (![0, 1, 2, 4, 8].includes(arg.len) || (arg.flags & ~known) !== 0) return -EINVAL;
  if (arg.len === 0 && (arg.flags & IOEVENTFD_DATAMATCH) !== 0) return -EINVAL;
  const file = fileOf(kvm, arg.fd);
  if (file?.kind !== 'eventfd') return file === undefined ? -EBADF : -EINVAL;
  const wanted = ioeventfdOf(arg);
  const there = boundAt(vmOf(kvm).ioeventfds, wanted.pio, wanted.addr) ?? [];
  if ((arg.flags & IOEVENTFD_DEASSIGN) !== 0) {
    if (assignedAt(there, wanted) < 0) return -ENOENT;
  } else if (there.some((e) => collide(e, wanted))) return -EEXIST;
  const { fd, addr, len, datamatch, flags } = arg;
  kvm.raise({ kind: 'ioctl:KVM_IOEVENTFD', fd, addr, len, datamatch, flags });
  return 0;
}

/** What the argument of KVM_IOEVENTFD binds. */
export function ioeventfdOf({ fd, addr, len, datamatch, flags }: Ioeventfd): IoeventfdState {
  const pio = (flags & IOEVENTFD_PIO) !== 0;
  return { fd, addr, len, pio, datamatch: (flags & IOEVENTFD_DATAMATCH) !== 0 ? datamatch : undefined };
}

/** The place of a binding that KVM_IOEVENTFD takes away among those of its address, or -1. */
export const assignedAt = (there: readonly IoeventfdState[], wanted: IoeventfdState): number =>
  there.findIndex(
    (e) => e.fd === wanted.fd && e.len === wanted.len && e.datamatch === wanted.datamatch && collide(e, wanted),
  );

/** ioeventfd_check_collision of two at one address: one write could mean both. */
function collide(a: IoeventfdState, b: IoeventfdState): boolean {
  if (a.len === 0 || b.len === 0) return true;
  return a.len === b.len && (a.datamatch === undefined || b.datamatch === undefined || a.datamatch === b.datamatch);
}

/** Whether writes of any width to this address are eventfds: KVM_FAST_MMIO_BUS. */
export const hasFastWrite = (kvm: KvmContext, addr: number): boolean =>
  boundAt(vmOf(kvm).ioeventfds, false, addr)?.some(({ len }) => len === 0) === true;

/** What is bound to an address of the I/O ports or of memory. */
const boundAt = (
  { pio: ports, mmio }: IoeventfdsState,
  pio: boolean,
  addr: number,
): readonly IoeventfdState[] | undefined => {
  const bound = pio ? ports : mmio;
  // Mostly there are none, and to look for a number that is no small integer takes V8 a microsecond.
  for (const _ in bound) return bound[addr];
  return undefined;
};

/** ioeventfd_write: true when a registered eventfd took the access. `length` 0 asks for address-only matches. */
export function ioeventfdWrite(kvm: KvmContext, pio: boolean, addr: number, length: number, value: bigint): boolean {
  const there = boundAt(vmOf(kvm).ioeventfds, pio, addr);
  if (there === undefined) return false;
  for (const e of there) {
    if (e.len !== 0 && (e.len !== length || (e.datamatch !== undefined && e.datamatch !== value))) continue;
    signalEventfd(kvm, e.fd, 'ioeventfd');
    return true;
  }
  return false;
}
