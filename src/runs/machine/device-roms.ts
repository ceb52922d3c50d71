/** Expansion ROMs that `-device ...,romfile=FILE` gives to PCI functions. */
import { fileName } from '../../base/file-name.ts';
import { type RomSetup, romSize } from '../../devices/pci/index.ts';
import type { DeviceOption, NamedImage } from '../../vmm/options.ts';
import { optionName } from '../../vmm/pc/option-parts.ts';
import type { RomRole } from '../world.ts';
import type { Images } from './images.ts';

const romRole = (index: number): RomRole => `rom${index}`;

export const isRom = (role: string): role is RomRole => /^rom\d+$/.test(role);

const romFile = ({ properties }: DeviceOption): string => String((properties as Partial<RomSetup>).romfile ?? '');

/** Where the files are, by role. */
export const romPaths = (devices: readonly DeviceOption[]): readonly (readonly [RomRole, string])[] =>
  devices.flatMap((device, index) => (romFile(device) === '' ? [] : [[romRole(index), romFile(device)] as const]));

/** A device with its ROM as a trace keeps it: a name without folders, and the BAR's size. */
export function withRomSize(device: DeviceOption, index: number, images: Images): DeviceOption {
  const image = images.get(romRole(index));
  if (romFile(device) === '') return device;
  const romfile = fileName(romFile(device));
  const { romsize } = device.properties as Partial<RomSetup>;
  const sized = image === undefined ? {} : { romsize: romSize(romfile, image.bytes.length, romsize) };
  return { ...device, properties: { ...device.properties, romfile, ...sized } };
}

/** What ROMs hold: those in a BAR by the names of their parts; the others firmware finds as files. */
export interface RomContents {
  readonly inBars: ReadonlyMap<string, Uint8Array>;
  readonly files: readonly NamedImage[];
}

/** Each ROM where its device has it: without a BAR (`rombar=0`) it is a file of fw_cfg's, as QEMU does it. */
export function romContents(devices: readonly DeviceOption[], images: Images): RomContents {
  const inBars = new Map<string, Uint8Array>();
  const files: NamedImage[] = [];
  for (const [index, device] of devices.entries()) {
    const image = romFile(device) === '' ? undefined : images.get(romRole(index));
    if (image === undefined) continue;
    if (device.properties['rombar'] === 0) files.push({ name: fileName(image.name), bytes: image.bytes });
    else inBars.set(optionName(device.driver, index), image.bytes);
  }
  return { inBars, files };
}
