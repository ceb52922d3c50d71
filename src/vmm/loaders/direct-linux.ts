import type { NamedImage } from '../options.ts';
import type { RamLayout } from '../memory/ram-layout.ts';
import { checkFits, commandLineBytes, initrdAddress, KERNEL_ADDRESS, parseBzImage, SETUP } from './bzimage.ts';
import { encodeE820, kernelE820 } from './e820.ts';
import { type LoadPlan, segment } from './plan.ts';

/** What a Linux kernel is started with. */
export interface LinuxRequest {
  readonly kernel: NamedImage;
  readonly initrd: NamedImage | undefined;
  readonly append: string;
  readonly ram: RamLayout;
  /** Where the ACPI root pointer lies. */
  readonly rsdp: number;
}

/**
 * Start a bzImage without firmware, by the 32-bit boot protocol: zero page in ESI, flat segments 0x10 and 0x18.
 * Linux Documentation/arch/x86/boot.rst, "32-bit Boot Protocol".
 */
export function planLinux(request: LinuxRequest): LoadPlan {
  const { kernel, initrd, ram } = request;
  const image = parseBzImage(kernel);
  checkFits(image, initrd, ram);
  const cmdline = commandLineBytes(image, request.append);
  const initrdAt = initrd === undefined ? 0 : initrdAddress(image, initrd, ram);
  const zeroPage = new Uint8Array(PAGE);
  const view = new DataView(zeroPage.buffer);
  const headerEnd = SETUP.header + image.setup[SETUP.jump + 1]!;
  zeroPage.set(image.setup.subarray(SETUP.setupSects, headerEnd), SETUP.setupSects);
  view.setUint8(SETUP.typeOfLoader, UNDEFINED_LOADER);
  view.setUint32(SETUP.code32Start, KERNEL_ADDRESS, true);
  view.setUint32(SETUP.ramdiskImage, initrdAt, true);
  view.setUint32(SETUP.ramdiskSize, initrd?.bytes.length ?? 0, true);
  view.setUint32(SETUP.cmdLinePtr, CMDLINE_ADDRESS, true);
  view.setBigUint64(ZERO_PAGE.acpiRsdpAddr, BigInt(request.rsdp), true);
  view.setUint32(ZERO_PAGE.altMemK, (ram.below4g - KERNEL_ADDRESS) / 1024, true);
  const map = kernelE820(ram);
  view.setUint8(ZERO_PAGE.e820Entries, map.length);
  zeroPage.set(encodeE820(map), ZERO_PAGE.e820Table);
  return {
    segments: [
      segment(KERNEL_ADDRESS, image.protectedMode),
      segment(ZERO_PAGE_ADDRESS, zeroPage),
      segment(CMDLINE_ADDRESS, cmdline),
      segment(GDT_ADDRESS, bootGdt()),
      ...(initrd === undefined ? [] : [segment(initrdAt, initrd.bytes)]),
    ],
    entry: {
      eip: KERNEL_ADDRESS,
      eax: 0,
      ebx: 0,
      esi: ZERO_PAGE_ADDRESS,
      codeSelector: BOOT_CS,
      dataSelector: BOOT_DS,
      gdtBase: GDT_ADDRESS,
      gdtLimit: 4 * 8 - 1,
    },
  };
}

/** Two null descriptors, then flat 4 GiB code and data. SDM Vol. 3, 3.4.5. */
function bootGdt(): Uint8Array {
  const bytes = new Uint8Array(4 * 8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(BOOT_CS, 0x00cf9b000000ffffn, true);
  view.setBigUint64(BOOT_DS, 0x00cf93000000ffffn, true);
  return bytes;
}

/** Fields of boot_params outside the setup header. Linux Documentation/arch/x86/zero-page.rst. */
const ZERO_PAGE = { acpiRsdpAddr: 0x70, altMemK: 0x1e0, e820Entries: 0x1e8, e820Table: 0x2d0 } as const;
const PAGE = 4096;
const ZERO_PAGE_ADDRESS = 0x10000;
const GDT_ADDRESS = 0x12000;
const CMDLINE_ADDRESS = 0x20000;
const UNDEFINED_LOADER = 0xff;
const BOOT_CS = 0x10;
const BOOT_DS = 0x18;
