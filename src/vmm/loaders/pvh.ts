import { Problem } from '../../base/problem.ts';
import type { RamLayout } from '../memory/ram-layout.ts';
import type { NamedImage } from '../options.ts';
import { ACPI_DATA_SIZE } from './bzimage.ts';
import { kernelE820 } from './e820.ts';
import { parseElf } from './elf.ts';
import { notesIn, notesOf } from './elf-notes.ts';
import { type LoadPlan, segment } from './plan.ts';

/** What an ELF kernel with a PVH entry is started with. */
export interface PvhRequest {
  readonly kernel: NamedImage;
  readonly initrd: NamedImage | undefined;
  readonly append: string;
  readonly ram: RamLayout;
  /** Where the ACPI root pointer lies. */
  readonly rsdp: number;
}

/** The 32-bit entry that the file's note XEN_ELFNOTE_PHYS32_ENTRY names, if it has one. */
export function pvhEntry(bytes: Uint8Array): number | undefined {
  for (const part of notesOf(bytes)) {
    for (const { owner, type, content } of notesIn(part.bytes)) {
      if (owner !== 'Xen' || type !== PHYS32_ENTRY || content.length < 4) continue;
      // A 64-bit kernel writes eight bytes, of which the low ones count.
      return new DataView(content.buffer, content.byteOffset).getUint32(0, true);
    }
  }
  return undefined;
}

/** Start an ELF kernel by Xen's ABI of direct boot: `hvm_start_info` in EBX. Xen docs/misc/pvh.pandoc. */
export function planPvh({ kernel, initrd, append, ram, rsdp }: PvhRequest): LoadPlan {
  const eip = pvhEntry(kernel.bytes);
  if (eip === undefined) throw new Problem(`${kernel.name} has no note of a PVH entry.`);
  const image = parseElf(kernel);
  // QEMU keeps this free for firmware's tables, and one byte more.
  const end = ram.below4g - ACPI_DATA_SIZE - 1;
  if (!image.segments.every(({ gpa, size }) => gpa >= 0 && gpa + size <= end)) {
    const needed = Math.ceil((image.high + ACPI_DATA_SIZE) / 2 ** 20);
    const have = Math.floor(ram.total / 2 ** 20);
    throw new Problem(
      `${kernel.name} needs ${needed} MiB of memory and the machine has ${have}; give it more with -m.`,
    );
  }
  const initrdAt = initrd === undefined ? 0 : placeBelow(end, initrd, { kernel, end: image.high });
  const map = memoryMap(ram);
  const modules = initrd === undefined ? [] : [segment(MODULES, quads(initrdAt, initrd.bytes.length, 0, 0))];
  const start = startInfo({ modules: modules.length, rsdp, entries: map.length / MAP_ENTRY });
  return {
    segments: [
      ...image.segments,
      segment(START_INFO, start),
      ...modules,
      segment(MAP, map),
      segment(COMMAND_LINE, commandLine(append)),
      ...(initrd === undefined ? [] : [segment(initrdAt, initrd.bytes)]),
    ],
    entry: { eip, eax: 0, ebx: START_INFO, esi: 0, codeSelector: 8, dataSelector: 16, gdtBase: 0, gdtLimit: 0 },
  };
}

/** As high as it fits, on a page. */
function placeBelow(end: number, initrd: NamedImage, kernel: { readonly kernel: NamedImage; end: number }): number {
  const at = Math.floor((end - initrd.bytes.length) / PAGE) * PAGE;
  if (at >= kernel.end) return at;
  const needed = Math.ceil((kernel.end + initrd.bytes.length + PAGE + ACPI_DATA_SIZE) / 2 ** 20);
  throw new Problem(`${kernel.kernel.name} and ${initrd.name} need ${needed} MiB of memory; give it more with -m.`);
}

/** `hvm_start_info`, version 1. Xen xen/include/public/arch-x86/hvm/start_info.h. */
function startInfo(told: { readonly modules: number; readonly rsdp: number; readonly entries: number }): Uint8Array {
  const bytes = new Uint8Array(START_INFO_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, START_MAGIC, true);
  view.setUint32(4, 1, true);
  view.setUint32(12, told.modules, true);
  bytes.set(quads(told.modules === 0 ? 0 : MODULES, COMMAND_LINE, told.rsdp, MAP), 16);
  view.setUint32(48, told.entries, true);
  return bytes;
}

/** Entries of 24 bytes, with E820's types. */
function memoryMap(ram: RamLayout): Uint8Array {
  const entries = kernelE820(ram);
  const bytes = new Uint8Array(entries.length * MAP_ENTRY);
  entries.forEach(({ start, length, type }, index) => {
    bytes.set(quads(start, length, type), index * MAP_ENTRY);
  });
  return bytes;
}

function commandLine(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(`${text}\0`);
  if (bytes.length <= COMMAND_LINE_LIMIT) return bytes;
  throw new Problem(`The command line has ${bytes.length - 1} bytes; a PVH kernel is given ${COMMAND_LINE_LIMIT - 1}.`);
}

function quads(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  values.forEach((value, index) => {
    view.setBigUint64(8 * index, BigInt(value), true);
  });
  return new Uint8Array(view.buffer);
}

const PHYS32_ENTRY = 18;
const PAGE = 4096;
const START_MAGIC = 0x336ec578;
const START_INFO = 0x9000;
const START_INFO_SIZE = 56;
const MODULES = 0x9040;
const MAP = 0x9100;
const MAP_ENTRY = 24;
const COMMAND_LINE = 0x20000;
/** As much as QEMU's PVH option ROM has room for. */
const COMMAND_LINE_LIMIT = 4096;
