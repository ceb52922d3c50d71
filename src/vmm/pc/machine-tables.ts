import { type AcpiBlob, acpiBlob } from '../acpi/tables.ts';
import type { ProcessorId } from '../cpu/cpuid.ts';
import type { MachineOptions } from '../options.ts';
import { type Smbios, smbios } from '../smbios/tables.ts';
import { ramLayout } from './ram-layout.ts';

/** The ACPI tables of a machine with these options. */
export function machineAcpi(options: MachineOptions): AcpiBlob {
  const ram = ramLayout(options.memory * 2 ** 20);
  return acpiBlob({
    cpus: options.smp,
    serialLines: options.serialLines,
    ramBelow4g: ram.below4g,
    ramAbove4g: ram.above4g,
  });
}

/** The SMBIOS tables of a machine with these options; firmware adds what it says of itself. */
export function machineSmbios(
  options: MachineOptions,
  processorId: ProcessorId,
  { bios }: { readonly bios: boolean } = { bios: false },
): Smbios {
  const ram = ramLayout(options.memory * 2 ** 20);
  return smbios({ cpus: options.smp, ram, processorId, said: options.smbios, bios });
}
