import { Problem } from '../../base/problem.ts';
import type { NamedImage } from '../options.ts';
import type { Segment } from './plan.ts';

/** An ELF file's loadable parts at their physical addresses. System V ABI, chapter 5. */
export interface ElfImage {
  readonly entry: number;
  readonly low: number;
  readonly high: number;
  readonly segments: readonly Segment[];
}

/** True when the file starts as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** Read the program headers of an ELF32 or ELF64 executable for x86. */
export function parseElf(image: NamedImage): ElfImage {
  const { bytes } = image;
  if (bytes.length < ELF64_HEADER) throw new Problem(`${image.name} is too short for an ELF file.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const is64 = bytes[4] === ELFCLASS64;
  const machine = view.getUint16(18, true);
  if (machine !== EM_386 && machine !== EM_X86_64) {
    throw new Problem(`${image.name} is an ELF file for machine ${machine}; an x86 one (3 or 62) is needed.`);
  }
  const segments = programHeaders(view, is64)
    .filter((header) => header.type === PT_LOAD && header.memorySize > 0)
    .map((header) => loadable(image, header));
  if (segments.length === 0) throw new Problem(`${image.name} has no loadable part.`);
  return {
    entry: is64 ? Number(view.getBigUint64(24, true)) : view.getUint32(24, true),
    low: Math.min(...segments.map((part) => part.gpa)),
    high: Math.max(...segments.map((part) => part.gpa + part.size)),
    segments,
  };
}

interface ProgramHeader {
  readonly type: number;
  readonly offset: number;
  readonly physical: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

/** Where the program headers lie in an ELF file that is long enough for its own header. */
export function programHeaderTable(bytes: Uint8Array): { readonly start: number; readonly end: number } {
  if (bytes.length < ELF64_HEADER) return { start: 0, end: 0 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { start, entrySize, count } = tableOf(view, bytes[4] === ELFCLASS64);
  return { start, end: start + entrySize * count };
}

const tableOf = (view: DataView, is64: boolean) => ({
  start: is64 ? Number(view.getBigUint64(32, true)) : view.getUint32(28, true),
  entrySize: view.getUint16(is64 ? 54 : 42, true),
  count: view.getUint16(is64 ? 56 : 44, true),
});

function programHeaders(view: DataView, is64: boolean): ProgramHeader[] {
  const { start, entrySize, count } = tableOf(view, is64);
  const headers: ProgramHeader[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * entrySize;
    if (at + (is64 ? 56 : 32) > view.byteLength) break;
    headers.push(is64 ? header64(view, at) : header32(view, at));
  }
  return headers;
}

function header32(view: DataView, at: number): ProgramHeader {
  const word = (index: number): number => view.getUint32(at + 4 * index, true);
  return { type: word(0), offset: word(1), physical: word(3), fileSize: word(4), memorySize: word(5) };
}

function header64(view: DataView, at: number): ProgramHeader {
  const quad = (offset: number): number => Number(view.getBigUint64(at + offset, true));
  return {
    type: view.getUint32(at, true),
    offset: quad(8),
    physical: quad(24),
    fileSize: quad(32),
    memorySize: quad(40),
  };
}

function loadable(image: NamedImage, header: ProgramHeader): Segment {
  const end = header.offset + header.fileSize;
  if (end > image.bytes.length) {
    throw new Problem(`${image.name} is truncated: a part ends at byte ${end} of ${image.bytes.length}.`);
  }
  return { gpa: header.physical, bytes: image.bytes.subarray(header.offset, end), size: header.memorySize };
}

const ELF64_HEADER = 64;
const ELFCLASS64 = 2;
const EM_386 = 3;
const EM_X86_64 = 62;
const PT_LOAD = 1;
