import { Problem } from '../../base/problem.ts';
import type { MachineOptions, NamedImage } from '../options.ts';
import { isBzImage } from './bzimage.ts';
import { isElf } from './elf.ts';
import { isMultiboot } from './multiboot.ts';
import { pvhEntry } from './pvh.ts';
import { startsInRealMode } from './real-mode.ts';

/** How a kernel is started: Linux's protocol has two ways in. */
export type BootProtocol = 'multiboot' | 'pvh' | 'linux' | 'real mode';

/** How a kernel wants to be started. Throws a Problem for an ELF file that does not say. */
export function bootProtocol(kernel: NamedImage): BootProtocol {
  if (isMultiboot(kernel)) return 'multiboot';
  if (startsInRealMode(kernel)) return 'real mode';
  if (isBzImage(kernel.bytes) || !isElf(kernel.bytes)) return 'linux';
  if (pvhEntry(kernel.bytes) !== undefined) return 'pvh';
  throw new Problem(`${kernel.name} is an ELF file with neither a multiboot header nor a note of a PVH entry.`);
}

/** True when a kernel is handed to firmware rather than entered directly. Only those of Linux's protocol ever are. */
export function bootsThroughFirmware({ kernel, bios }: MachineOptions): boolean {
  return kernel !== undefined && bios !== undefined && ['linux', 'real mode'].includes(bootProtocol(kernel));
}

/** The images that decide how a run begins. */
interface Started {
  readonly kernel: NamedImage | undefined;
  readonly bios: NamedImage | undefined;
}

/** What a person should know of a kernel before it starts; nothing when all is as it should be. */
export function bootWarning({ kernel, bios }: Started): string | undefined {
  if (kernel === undefined || bios !== undefined || bootProtocol(kernel) !== 'real mode') return undefined;
  return (
    `${kernel.name} starts in real mode and may call a BIOS, of which there is none: its calls return at once. ` +
    'Where it gets no further, give it one: -bios .guests/bios-256k.bin (`npm run guests` fetches it).'
  );
}
