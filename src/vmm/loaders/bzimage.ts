import { Problem } from '../../base/problem.ts';
import type { NamedImage } from '../options.ts';
import type { RamLayout } from '../memory/ram-layout.ts';

/**
 * Fields of the setup header, by offset in the file and in the zero page.
 * Linux Documentation/arch/x86/boot.rst, "The real-mode kernel header".
 */
export const SETUP = {
  setupSects: 0x1f1,
  bootFlag: 0x1fe,
  jump: 0x200,
  header: 0x202,
  version: 0x206,
  typeOfLoader: 0x210,
  loadflags: 0x211,
  code32Start: 0x214,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  heapEndPtr: 0x224,
  cmdLinePtr: 0x228,
  initrdAddrMax: 0x22c,
  kernelAlignment: 0x230,
  relocatable: 0x234,
  xloadflags: 0x236,
  cmdlineSize: 0x238,
  prefAddress: 0x258,
  initSize: 0x260,
} as const;

/** A bzImage taken apart. */
export interface BzImage {
  readonly name: string;
  /** Boot sector and real-mode code. */
  readonly setup: Uint8Array;
  /** The part that runs in protected mode at 1 MiB. */
  readonly protectedMode: Uint8Array;
  readonly protocol: number;
  readonly initrdAddrMax: number;
  readonly cmdlineSize: number;
  /** Where the memory ends that it uses before it looks at the memory map. */
  readonly initEnd: number;
  readonly initrdAbove4g: boolean;
}

/** True when the file carries the boot protocol's magic. */
export function isBzImage(bytes: Uint8Array): boolean {
  if (bytes.length < SETUP.initSize + 4) return false;
  return fieldAt(bytes, SETUP.bootFlag, 2) === BOOT_FLAG && fieldAt(bytes, SETUP.header, 4) === HDRS;
}

/** Take a bzImage apart, or say why it is none. */
export function parseBzImage(image: NamedImage): BzImage {
  const { name, bytes } = image;
  if (!isBzImage(bytes)) {
    throw new Problem(`${name} is neither a Linux bzImage nor a multiboot or PVH kernel; -kernel takes one of these.`);
  }
  const protocol = fieldAt(bytes, SETUP.version, 2);
  const loadedHigh = (bytes[SETUP.loadflags]! & LOADED_HIGH) !== 0;
  if (protocol < OLDEST_PROTOCOL || !loadedHigh) {
    const version = `${protocol >> 8}.${String(protocol & 0xff).padStart(2, '0')}`;
    throw new Problem(`${name} follows boot protocol ${version}; 2.03 or newer with a high kernel is needed.`);
  }
  const setupSize = ((bytes[SETUP.setupSects]! || 4) + 1) * 512;
  if (setupSize >= bytes.length) throw new Problem(`${name} is truncated: it ends inside its ${setupSize}-byte setup.`);
  const has = (version: number): boolean => protocol >= version;
  return {
    name,
    setup: bytes.subarray(0, setupSize),
    protectedMode: bytes.subarray(setupSize),
    protocol,
    initrdAddrMax: fieldAt(bytes, SETUP.initrdAddrMax, 4),
    cmdlineSize: has(0x206) ? fieldAt(bytes, SETUP.cmdlineSize, 4) : 255,
    initEnd: Math.max(initEnd(bytes, protocol), KERNEL_ADDRESS + bytes.length - setupSize),
    initrdAbove4g: has(0x20c) && (fieldAt(bytes, SETUP.xloadflags, 2) & CAN_BE_LOADED_ABOVE_4G) !== 0,
  };
}

/**
 * It unpacks itself to where it was loaded, aligned, or to its preferred address if that is higher: `init_size` is
 * counted from there. Linux Documentation/arch/x86/boot.rst, `init_size`.
 */
function initEnd(bytes: Uint8Array, protocol: number): number {
  if (protocol < 0x20a) return KERNEL_ADDRESS;
  const alignment = Math.max(1, fieldAt(bytes, SETUP.kernelAlignment, 4));
  const loaded = bytes[SETUP.relocatable] === 0 ? 0 : Math.ceil(KERNEL_ADDRESS / alignment) * alignment;
  const start = Math.max(loaded, preferredAddress(bytes));
  return (start === 0 ? KERNEL_ADDRESS : start) + fieldAt(bytes, SETUP.initSize, 4);
}

const preferredAddress = (bytes: Uint8Array): number =>
  fieldAt(bytes, SETUP.prefAddress, 4) + fieldAt(bytes, SETUP.prefAddress + 4, 4) * 2 ** 32;

/** The initrd's place: as high as the kernel allows, below the ACPI area, on a page. QEMU's x86_load_linux. */
export function initrdAddress(kernel: BzImage, initrd: NamedImage, ram: RamLayout): number {
  const allowed = kernel.initrdAbove4g ? 0xffffffff : kernel.initrdAddrMax;
  const highest = Math.min(allowed, ram.below4g - ACPI_DATA_SIZE - 1);
  const address = Math.floor((highest - initrd.bytes.length) / PAGE) * PAGE;
  if (address < kernel.initEnd) {
    throw new Problem(`${initrd.name} is too large: ${kernel.name} takes it below 0x${allowed.toString(16)} only.`);
  }
  return address;
}

/** Stop when the machine has not the memory for what is to be loaded. */
export function checkFits(kernel: BzImage, initrd: NamedImage | undefined, ram: RamLayout): void {
  const needed = kernel.initEnd + Math.ceil((initrd?.bytes.length ?? 0) / PAGE) * PAGE + ACPI_DATA_SIZE;
  if (needed <= ram.below4g) return;
  const what = initrd === undefined ? `${kernel.name} needs` : `${kernel.name} and ${initrd.name} need`;
  throw new Problem(
    `${what} ${mib(needed)} MiB of memory and the machine has ${mib(ram.total)}; give it more with -m.`,
  );
}

/** The command line as bytes with its final zero, checked against what the kernel takes. */
export function commandLineBytes(kernel: BzImage, text: string): Uint8Array {
  const bytes = new TextEncoder().encode(`${text}\0`);
  if (bytes.length - 1 > kernel.cmdlineSize) {
    throw new Problem(`The command line has ${bytes.length - 1} bytes; ${kernel.name} takes ${kernel.cmdlineSize}.`);
  }
  return bytes;
}

const mib = (bytes: number): number => Math.ceil(bytes / 2 ** 20);

function fieldAt(bytes: Uint8Array, offset: number, size: 2 | 4): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return size === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true);
}

/** Where every high kernel's protected-mode part goes. */
export const KERNEL_ADDRESS = 0x100000;
const PAGE = 4096;
const BOOT_FLAG = 0xaa55;
/** "HdrS". */
const HDRS = 0x53726448;
const LOADED_HIGH = 1;
const CAN_BE_LOADED_ABOVE_4G = 2;
const OLDEST_PROTOCOL = 0x203;
/** QEMU keeps this much at the end of low memory free for ACPI tables. */
export const ACPI_DATA_SIZE = 0x28000;
