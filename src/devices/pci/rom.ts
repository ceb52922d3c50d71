/** The expansion ROM of a PCI function. PCI Local Bus 3.0, 6.2.5.2; QEMU 7.2: hw/pci/pci.c, pci_add_option_rom. */
import { latin1 } from '../../base/bytes.ts';
import { Problem } from '../../base/problem.ts';
import type { Region } from '../device.ts';
import { isPowerOf2, type PropertiesOf, text, uint32 } from '../properties.ts';
import type { PciBar } from './function.ts';

/** What every PCI function is set up by, besides what is its own. */
export interface RomSetup {
  /** The file's name; empty: there is none. */
  readonly romfile: string;
  /** Bytes the BAR takes. */
  readonly romsize: number;
  readonly rombar: number;
}

/** As the file has them: `romsize` when nobody gave any. */
const AS_FILE = 0xffff_ffff;

/** QEMU's properties of every PCI function. */
export const ROM_PROPERTIES: PropertiesOf<RomSetup> = {
  romfile: text('', 'File of the expansion ROM'),
  romsize: uint32(AS_FILE, "Bytes of the expansion ROM's BAR: a power of two, usually what the file needs"),
  rombar: uint32(1, 'Whether a guest can see the expansion ROM'),
};

const SMALLEST = 2048;
/** More than firmware has room for. */
const MOST_BYTES = 1 << 20;

/** Bytes of the BAR for a ROM of so many; `asked`: `romsize`. Throws a Problem where it cannot have them. */
export function romSize(name: string, bytes: number, asked = AS_FILE): number {
  const size = asked === AS_FILE ? 2 ** Math.ceil(Math.log2(Math.max(bytes, SMALLEST))) : asked;
  if (size > MOST_BYTES) throw new Problem(`romfile=${name}: a ROM of ${size} bytes is more than ${MOST_BYTES}.`);
  if (!isPowerOf2(size)) throw new Problem(`romsize=${size} is not a power of two.`);
  if (bytes <= size) return size;
  throw new Problem(`romfile=${name} has ${bytes} bytes, too many for romsize=${size}.`);
}

/** Bytes the ROM a function was given takes, or undefined where it has none that a guest could see. */
export const givenRom = ({ romfile, romsize, rombar }: Partial<RomSetup>): number | undefined =>
  romfile === undefined || romfile === '' || rombar === 0 ? undefined : romSize(romfile, 0, romsize);

/** Places in an image and in its PCI data structure. PCI Firmware Specification 3.0, 5.1. */
const IMAGE = { magic: 0xaa55, checksum: 6, structure: 0x18 } as const;
const STRUCTURE = { magic: 'PCIR', vendorId: 4, deviceId: 6, bytes: 8 } as const;

/** An image of another function as one of this: firmware starts no other. QEMU's pci_patch_ids. */
export function romFor(image: Uint8Array, ids: { readonly vendorId: number; readonly deviceId: number }): Uint8Array {
  const bytes = Uint8Array.from(image);
  if (bytes.length <= IMAGE.structure + 2) return image;
  const words = new DataView(bytes.buffer);
  const at = words.getUint16(IMAGE.structure, true);
  if (words.getUint16(0, true) !== IMAGE.magic || at + STRUCTURE.bytes >= bytes.length) return image;
  if (latin1(bytes.subarray(at, at + STRUCTURE.magic.length)) !== STRUCTURE.magic) return image;
  let checksum = words.getUint8(IMAGE.checksum);
  for (const [place, id] of [
    [at + STRUCTURE.vendorId, ids.vendorId],
    [at + STRUCTURE.deviceId, ids.deviceId],
  ] as const) {
    const before = words.getUint16(place, true);
    checksum += (before & 0xff) + (before >> 8) - (id & 0xff) - (id >> 8);
    words.setUint16(place, id, true);
  }
  words.setUint8(IMAGE.checksum, checksum & 0xff);
  return bytes;
}

/** Its BAR has a place of its own. */
export const romBar = (size: number): PciBar => ({ index: 6, space: 'memory', size });

/** Read-only memory that holds a ROM; what the file of one holds is put there when the machine is made. */
export function romRegion(size: number, bytes: Uint8Array = new Uint8Array(0)): Region {
  const content = new Uint8Array(size);
  content.set(bytes);
  const bar = { index: 6, offset: 0 };
  return { name: ROM_REGION, space: 'memory', length: size, minAccess: 1, maxAccess: 4, bar, content };
}

/** By this name a function's ROM is found among its regions. */
export const ROM_REGION = 'rom';
