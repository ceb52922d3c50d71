import type { KvmContext } from './context.ts';
import type { FileState } from './state.ts';

/** The first descriptor number handed out; lower ones are the process's own. */
const FIRST_FD = 10;

/** Open a descriptor. */
export function openFile(kvm: KvmContext, file: FileState): number {
  kvm.state.files.push(file);
  return FIRST_FD + kvm.state.files.length - 1;
}

/** What a descriptor stands for. */
export function fileOf(kvm: KvmContext, fd: number): FileState | undefined {
  return kvm.state.files[fd - FIRST_FD];
}
