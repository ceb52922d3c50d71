import type { RamLayout } from '../memory/ram-layout.ts';

/** One range of the system address map. ACPI specification, INT 15h E820h: type 1 is memory, 2 is reserved. */
export interface E820Entry {
  readonly start: number;
  readonly length: number;
  readonly type: 1 | 2;
}

/** Room firmware keeps at the end of low memory for ACPI tables. */
export const ACPI_AREA = 0x20000;

/** What QEMU tells firmware in `etc/e820`: memory, and the pages KVM needs on Intel hosts. */
export function machineE820(ram: RamLayout): readonly E820Entry[] {
  const entries: E820Entry[] = [
    { start: KVM_IDENTITY_MAP, length: 0x4000, type: RESERVED },
    { start: 0, length: ram.below4g, type: USABLE },
  ];
  if (ram.above4g > 0) entries.push({ start: 2 ** 32, length: ram.above4g, type: USABLE });
  return entries;
}

/** The map a kernel sees: what SeaBIOS makes of the machine's, with the BIOS areas taken out. */
export function kernelE820(ram: RamLayout): readonly E820Entry[] {
  const entries: E820Entry[] = [
    { start: 0, length: EBDA, type: USABLE },
    { start: EBDA, length: 0xa0000 - EBDA, type: RESERVED },
    { start: 0xf0000, length: 0x10000, type: RESERVED },
    { start: 0x100000, length: ram.below4g - ACPI_AREA - 0x100000, type: USABLE },
    { start: ram.below4g - ACPI_AREA, length: ACPI_AREA, type: RESERVED },
    { start: KVM_IDENTITY_MAP, length: 0x4000, type: RESERVED },
    { start: 0xfffc0000, length: 0x40000, type: RESERVED },
  ];
  if (ram.above4g > 0) entries.push({ start: 2 ** 32, length: ram.above4g, type: USABLE });
  return entries;
}

/** The 20-byte form of the map that boot_params and fw_cfg use. */
export function encodeE820(entries: readonly E820Entry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * E820_ENTRY_SIZE);
  const view = new DataView(bytes.buffer);
  entries.forEach((entry, index) => {
    view.setBigUint64(index * E820_ENTRY_SIZE, BigInt(entry.start), true);
    view.setBigUint64(index * E820_ENTRY_SIZE + 8, BigInt(entry.length), true);
    view.setUint32(index * E820_ENTRY_SIZE + 16, entry.type, true);
  });
  return bytes;
}

const E820_ENTRY_SIZE = 20;
const USABLE = 1;
const RESERVED = 2;
/** End of conventional memory as SeaBIOS leaves it: one KiB of extended BIOS data below 640 KiB. */
const EBDA = 0x9fc00;
/** KVM_SET_IDENTITY_MAP_ADDR and KVM_SET_TSS_ADDR: four pages. */
const KVM_IDENTITY_MAP = 0xfeffc000;
