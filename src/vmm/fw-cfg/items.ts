import type { FwCfgItems } from '../../devices/fw-cfg/index.ts';
import { acpiFiles } from '../acpi/table-loader.ts';
import type { ProcessorId } from '../cpu/cpuid.ts';
import { bootsThroughFirmware } from '../loaders/boot-path.ts';
import { encodeE820, machineE820 } from '../loaders/e820.ts';
import { firmwareLinuxItems } from '../loaders/firmware-linux.ts';
import { LINUX_BOOT_ROM, linuxBootRom } from '../option-rom/linux-boot.ts';
import type { RamLayout } from '../memory/ram-layout.ts';
import type { MachineOptions, NamedImage } from '../options.ts';
import { machineAcpi, machineSmbios } from '../pc/machine-tables.ts';
import { ramLayout } from '../pc/ram-layout.ts';
import { uuidBytes } from '../smbios/said.ts';
import { FW_CFG } from './keys.ts';
import { number } from './number.ts';

/** Every key QEMU 7.2's `pc` machine offers its firmware. */
export function firmwareItems(options: MachineOptions, processorId: ProcessorId): FwCfgItems {
  const ram = ramLayout(options.memory * 2 ** 20);
  const items = new Map<number, Uint8Array>([
    [FW_CFG.signature, text('QEMU')],
    [FW_CFG.id, number(TRADITIONAL_AND_DMA, 4)],
    [FW_CFG.uuid, systemUuid(options)],
    [FW_CFG.ramSize, number(ram.total, 8)],
    [FW_CFG.noGraphic, number(0, 2)],
    [FW_CFG.cpus, number(options.smp, 2)],
    // One count per possible APIC ID and per node: no nodes.
    [FW_CFG.numa, new Uint8Array(8 * (1 + options.smp))],
    [FW_CFG.bootMenu, number(options.boot?.menu === true ? 1 : 0, 2)],
    [FW_CFG.maxCpus, number(options.smp, 2)],
    [FW_CFG.irq0Override, number(1, 4)],
    [FW_CFG.hpet, hpetConfiguration()],
    ...kernelItems(options, ram),
  ]);
  const roms = optionRoms(options);
  const { anchor, tables } = machineSmbios(options, processorId);
  const files = {
    'bios-geometry': new Uint8Array(),
    bootorder: bootOrder(roms, options.boot?.strict === true),
    'etc/boot-fail-wait': number((options.boot?.rebootTimeout ?? -1) >>> 0, 4),
    ...splashFile(options),
    'etc/e820': encodeE820(machineE820(ram)),
    'etc/smbios/smbios-anchor': anchor,
    'etc/smbios/smbios-tables': tables,
    'etc/system-states': SYSTEM_STATES,
    'etc/tpm/log': new Uint8Array(),
    ...acpiFiles(machineAcpi(options)),
    ...romFiles(roms),
    ...Object.fromEntries((options.fwCfg ?? []).map(({ name, bytes }) => [name, bytes])),
  };
  addFiles(items, files);
  return items;
}

/** Files get keys in the order of their names; the directory is big-endian. */
function addFiles(items: Map<number, Uint8Array>, files: Readonly<Record<string, Uint8Array>>): void {
  const names = Object.keys(files).sort();
  const directory = new Uint8Array(4 + names.length * DIRECTORY_ENTRY);
  const view = new DataView(directory.buffer);
  view.setUint32(0, names.length);
  names.forEach((name, index) => {
    const at = 4 + index * DIRECTORY_ENTRY;
    const content = files[name]!;
    view.setUint32(at, content.length);
    view.setUint16(at + 4, FW_CFG.fileFirst + index);
    directory.set(text(name).subarray(0, 55), at + 8);
    items.set(FW_CFG.fileFirst + index, content);
  });
  items.set(FW_CFG.fileDirectory, directory);
}

interface OptionRom extends NamedImage {
  readonly bootIndex: number;
}

/** The user's, then the one that boots the kernel when firmware does. */
function optionRoms(options: MachineOptions): readonly OptionRom[] {
  const given = options.optionRoms ?? [];
  if (!bootsThroughFirmware(options)) return given;
  return [...given, { name: LINUX_BOOT_ROM, bytes: linuxBootRom(), bootIndex: 0 }];
}

function kernelItems(options: MachineOptions, ram: RamLayout): ReadonlyMap<number, Uint8Array> {
  if (!bootsThroughFirmware(options)) return new Map();
  return firmwareLinuxItems(options.kernel!, options.initrd, options.append ?? '', ram);
}

function romFiles(roms: readonly OptionRom[]): Record<string, Uint8Array> {
  return Object.fromEntries(roms.map((rom) => [`genroms/${rom.name}`, rom.bytes]));
}

/** Option ROMs with a boot index, lowest first, one path a line. */
function bootOrder(roms: readonly OptionRom[], strict: boolean): Uint8Array {
  const ordered = roms.filter((rom) => rom.bootIndex >= 0).sort((a, b) => a.bootIndex - b.bootIndex);
  if (ordered.length === 0) return new Uint8Array();
  const lines = ordered.map((rom) => `/rom@genroms/${rom.name}`);
  return text(`${[...lines, ...(strict ? ['HALT'] : [])].join('\n')}\0`);
}

/** How long a menu waits, where somebody says. */
function splashFile({ boot }: MachineOptions): Record<string, Uint8Array> {
  return boot?.splashTime === undefined ? {} : { 'etc/boot-menu-wait': number(boot.splashTime, 2) };
}

/** As it is written: the tables of SMBIOS turn its parts around. */
function systemUuid({ smbios }: MachineOptions): Uint8Array {
  const uuid = smbios?.fields[1]?.['uuid'];
  return uuid === undefined ? new Uint8Array(16) : Uint8Array.from(uuidBytes(uuid));
}

/** One HPET: event timer block 0x8086a201 at 0xfed00000. Padded to eight. */
function hpetConfiguration(): Uint8Array {
  const bytes = new Uint8Array(121);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  view.setUint32(1, 0x8086a201, true);
  view.setUint32(5, 0xfed00000, true);
  return bytes;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const TRADITIONAL_AND_DMA = 3;
const DIRECTORY_ENTRY = 64;
/** S0 always, S3 enabled as type 1, S4 as type 2. */
const SYSTEM_STATES = new Uint8Array([0x80, 0, 0, 0x81, 0x82, 0x80]);
