import type { KvmContext } from '../context.ts';
import type { FileState } from '../state.ts';

/** The first descriptor number handed out; lower ones are the process's own. */
const FIRST_FD = 10;

/** The descriptor the next file gets. */
export const nextFd = ({ state }: KvmContext): number => FIRST_FD + state.files.length;

/** What a descriptor stands for. */
export const fileOf = ({ state }: KvmContext, fd: number): FileState | undefined => state.files[fd - FIRST_FD];

/** Where a descriptor's file lies among all files. */
export const placeOfFd = (fd: number): number => fd - FIRST_FD;

/** What can be opened without an ioctl: the device, and an eventfd(2). */
export const KVM_PATH = '/dev/kvm';
export const EVENTFD_PATH = 'eventfd';

/** Open one of them. */
export function openFile(kvm: KvmContext, path: typeof KVM_PATH | typeof EVENTFD_PATH): number {
  const fd = nextFd(kvm);
  kvm.raise({ kind: 'sim:fd_open', path, fd });
  return fd;
}
