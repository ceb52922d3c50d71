import type { MachineOptions } from '../options.ts';
import { multibootHeader } from './multiboot.ts';

/** True when a kernel is handed to firmware rather than entered directly. Multiboot kernels never are. */
export function bootsThroughFirmware({ kernel, bios }: MachineOptions): boolean {
  return kernel !== undefined && bios !== undefined && multibootHeader(kernel.bytes) === undefined;
}
