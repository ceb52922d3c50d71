import { ByteReader } from '../../base/byte-reader.ts';
import { Problem } from '../../base/problem.ts';
import type { NamedImage } from '../options.ts';
import type { RamLayout } from '../memory/ram-layout.ts';
import { kernelE820 } from './e820.ts';
import { isElf, parseElf } from './elf.ts';
import { type LoadPlan, type Segment, segment } from './plan.ts';

/** What a multiboot kernel is started with. */
export interface MultibootRequest {
  readonly kernel: NamedImage;
  /** Each with its command line as its name. */
  readonly modules: readonly NamedImage[];
  readonly append: string;
  readonly ram: RamLayout;
}

/** Offset of the multiboot header, if the file has one. Multiboot specification 0.6.96, 3.1. */
export function multibootHeader(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 12 <= Math.min(bytes.length, HEADER_SEARCH); at += 4) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (sum % 2 ** 32 === 0) return at;
  }
  return undefined;
}

/** Whether a kernel is a multiboot one. */
export const isMultiboot = ({ bytes }: Pick<NamedImage, 'bytes'>): boolean => multibootHeader(bytes) !== undefined;

/** Place a multiboot kernel, its modules and its information structure as QEMU does, and enter it directly. */
export function planMultiboot(request: MultibootRequest): LoadPlan {
  const image = kernelImage(request.kernel);
  const end = Math.ceil(image.high / PAGE) * PAGE;
  const texts = [`${request.kernel.name} ${request.append}`, LOADER_NAME, ...request.modules.map((m) => m.name)];
  const tableSize = request.modules.length * MODULE_ENTRY;
  const placed = placeTexts(end + tableSize, texts);
  let at = Math.ceil(placed.end / PAGE) * PAGE;
  const table = new DataView(new ArrayBuffer(tableSize));
  const modules = request.modules.map((module, index) => {
    const here = segment(at, module.bytes);
    table.setUint32(index * MODULE_ENTRY, at, true);
    table.setUint32(index * MODULE_ENTRY + 4, at + module.bytes.length, true);
    table.setUint32(index * MODULE_ENTRY + 8, placed.addresses[2 + index]!, true);
    at = Math.ceil((at + module.bytes.length) / PAGE) * PAGE;
    return here;
  });
  checkFits(request, Math.max(at, image.high));
  const map = memoryMap(request.ram);
  const information = informationStructure({ request, placed, modules: end, mapLength: map.length });
  return {
    // QEMU's boot ROM reads the kernel last, so an image at 0x8000 covers the information structure.
    segments: [
      segment(MAP_ADDRESS, map),
      segment(INFORMATION_ADDRESS, information),
      ...image.segments,
      segment(end, new Uint8Array(table.buffer)),
      ...placed.segments,
      ...modules,
    ],
    entry: {
      eip: image.entry,
      eax: BOOT_MAGIC,
      ebx: INFORMATION_ADDRESS,
      esi: 0,
      codeSelector: 0x08,
      dataSelector: 0x10,
      gdtBase: 0,
      gdtLimit: 0,
    },
  };
}

interface Image {
  readonly entry: number;
  readonly high: number;
  readonly segments: readonly Segment[];
}

function kernelImage(kernel: NamedImage): Image {
  const header = multibootHeader(kernel.bytes);
  if (header === undefined) throw new Problem(`${kernel.name} has no multiboot header in its first 8 KiB.`);
  const input = new ByteReader(kernel.bytes, kernel.name);
  const hasAddresses = (input.u32(header + 4) & ADDRESS_FIELDS) !== 0;
  if (hasAddresses) return addressedImage(kernel, input, header);
  if (!isElf(kernel.bytes)) throw new Problem(`${kernel.name} has a multiboot header but neither addresses nor ELF.`);
  return parseElf(kernel);
}

/** An image that says itself where it belongs. Multiboot specification 3.1.3. */
function addressedImage(kernel: NamedImage, input: ByteReader, header: number): Image {
  const field = (index: number): number => input.u32(header + 12 + 4 * index);
  const [headerAddress, load, loadEnd, bssEnd, entry] = [field(0), field(1), field(2), field(3), field(4)];
  const start = header - (headerAddress - load);
  const length = loadEnd === 0 ? kernel.bytes.length - start : loadEnd - load;
  if (start < 0 || length < 0 || start + length > kernel.bytes.length) {
    throw new Problem(`${kernel.name} is truncated: its multiboot header asks for ${length} bytes.`);
  }
  const size = Math.max(length, bssEnd === 0 ? 0 : bssEnd - load);
  return {
    entry,
    high: load + size,
    segments: [{ gpa: load, bytes: kernel.bytes.subarray(start, start + length), size }],
  };
}

interface PlacedTexts {
  readonly addresses: readonly number[];
  readonly segments: readonly Segment[];
  readonly end: number;
}

function placeTexts(start: number, texts: readonly string[]): PlacedTexts {
  let at = start;
  const addresses: number[] = [];
  const segments = texts.map((text) => {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const here = segment(at, bytes);
    addresses.push(at);
    at += bytes.length;
    return here;
  });
  return { addresses, segments, end: at };
}

/** Entries of 24 bytes: their own size (20), then the E820 entry. Multiboot specification 3.3, `mmap_addr`. */
function memoryMap(ram: RamLayout): Uint8Array {
  const entries = kernelE820(ram);
  const bytes = new Uint8Array(entries.length * 24);
  const view = new DataView(bytes.buffer);
  entries.forEach((entry, index) => {
    view.setUint32(index * 24, 20, true);
    view.setBigUint64(index * 24 + 4, BigInt(entry.start), true);
    view.setBigUint64(index * 24 + 12, BigInt(entry.length), true);
    view.setUint32(index * 24 + 20, entry.type, true);
  });
  return bytes;
}

interface InformationParts {
  readonly request: MultibootRequest;
  readonly placed: PlacedTexts;
  readonly modules: number;
  readonly mapLength: number;
}

/** Multiboot specification 3.3. */
function informationStructure({ request, placed, modules, mapLength }: InformationParts): Uint8Array {
  const bytes = new Uint8Array(INFORMATION_SIZE);
  const view = new DataView(bytes.buffer);
  const upper = kernelE820(request.ram).find((entry) => entry.start === 0x100000)!;
  view.setUint32(0, HAS_MEMORY | HAS_BOOT_DEVICE | HAS_COMMAND_LINE | HAS_MODULES | HAS_MAP | HAS_LOADER_NAME, true);
  view.setUint32(4, 639, true);
  view.setUint32(8, upper.length / 1024, true);
  view.setUint32(12, BOOT_DEVICE, true);
  view.setUint32(16, placed.addresses[0]!, true);
  view.setUint32(20, request.modules.length, true);
  view.setUint32(24, modules, true);
  view.setUint32(44, mapLength, true);
  view.setUint32(48, MAP_ADDRESS, true);
  view.setUint32(64, placed.addresses[1]!, true);
  return bytes;
}

function checkFits(request: MultibootRequest, end: number): void {
  if (end <= request.ram.below4g) return;
  const needed = Math.ceil(end / 2 ** 20);
  const have = Math.floor(request.ram.total / 2 ** 20);
  throw new Problem(
    `${request.kernel.name} needs ${needed} MiB of memory and the machine has ${have}; give it more with -m.`,
  );
}

const PAGE = 4096;
const HEADER_SEARCH = 8192;
const HEADER_MAGIC = 0x1badb002;
const BOOT_MAGIC = 0x2badb002;
const ADDRESS_FIELDS = 1 << 16;
const MODULE_ENTRY = 16;
const LOADER_NAME = 'retrovisor';
const MAP_ADDRESS = 0x9000;
const INFORMATION_ADDRESS = 0x9500;
const INFORMATION_SIZE = 88;
/** First hard disk, no partition. */
const BOOT_DEVICE = 0x8000ffff;
const HAS_MEMORY = 1 << 0;
const HAS_BOOT_DEVICE = 1 << 1;
const HAS_COMMAND_LINE = 1 << 2;
const HAS_MODULES = 1 << 3;
const HAS_MAP = 1 << 6;
const HAS_LOADER_NAME = 1 << 9;
