import { Problem } from '../../base/problem.ts';
import type { MachineOptions, NamedImage } from '../options.ts';
import { isBzImage } from './bzimage.ts';
import { isElf } from './elf.ts';
import { isMultiboot } from './multiboot.ts';
import { pvhEntry } from './pvh.ts';

/** How a kernel wants to be started. Throws a Problem for an ELF file that does not say. */
export function bootProtocol(kernel: NamedImage): 'multiboot' | 'pvh' | 'linux' {
  if (isMultiboot(kernel)) return 'multiboot';
  if (isBzImage(kernel.bytes) || !isElf(kernel.bytes)) return 'linux';
  if (pvhEntry(kernel.bytes) !== undefined) return 'pvh';
  throw new Problem(`${kernel.name} is an ELF file with neither a multiboot header nor a note of a PVH entry.`);
}

/** True when a kernel is handed to firmware rather than entered directly. Only those of Linux's protocol ever are. */
export function bootsThroughFirmware({ kernel, bios }: MachineOptions): boolean {
  return kernel !== undefined && bios !== undefined && bootProtocol(kernel) === 'linux';
}
