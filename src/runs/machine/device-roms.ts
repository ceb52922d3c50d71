/** Expansion ROMs that `-device ...,romfile=FILE` gives to PCI functions. */
import { fileName } from '../../base/file-name.ts';
import { type RomSetup, romSize } from '../../devices/pci/index.ts';
import type { DeviceOption, MachineOptions } from '../../vmm/options.ts';
import { optionName } from '../../vmm/pc/option-parts.ts';
import type { RomRole } from '../world.ts';
import type { Images } from './images.ts';
import { romRole } from './rom-roles.ts';

const romFile = ({ properties }: DeviceOption): string => String((properties as Partial<RomSetup>).romfile ?? '');

/** Where the files are, by role. */
export const romPaths = (devices: readonly DeviceOption[]): readonly (readonly [RomRole, string])[] =>
  devices.flatMap((device, index) => (romFile(device) === '' ? [] : [[romRole(index), romFile(device)] as const]));

/** Devices with their ROMs as a trace keeps them: names without folders, and sizes of BARs. */
export const withRomSizes = (devices: readonly DeviceOption[], images: Images): DeviceOption[] =>
  devices.map((device, index) => withRomSize(device, index, images));

function withRomSize(device: DeviceOption, index: number, images: Images): DeviceOption {
  const image = images.get(romRole(index));
  if (romFile(device) === '') return device;
  const romfile = fileName(romFile(device));
  const { romsize } = device.properties as Partial<RomSetup>;
  const sized = image === undefined ? {} : { romsize: romSize(romfile, image.bytes.length, romsize) };
  return { ...device, properties: { ...device.properties, romfile, ...sized } };
}

/**
 * The options with each ROM where its device has it: in a BAR, or without one (`rombar=0`) as a file of fw_cfg's, as
 * QEMU does it.
 */
export function withRoms(options: MachineOptions, images: Images): MachineOptions {
  const deviceRoms = new Map<string, Uint8Array>();
  const optionRoms = [...(options.optionRoms ?? [])];
  for (const [index, device] of options.devices.entries()) {
    const image = romFile(device) === '' ? undefined : images.get(romRole(index));
    if (image === undefined) continue;
    if (device.properties['rombar'] !== 0) deviceRoms.set(optionName(device.driver, index), image.bytes);
    else optionRoms.push({ name: fileName(image.name), bytes: image.bytes, bootIndex: -1 });
  }
  return { ...options, optionRoms, deviceRoms };
}
