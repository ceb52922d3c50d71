import { ByteReader } from '../../base/byte-reader.ts';
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
  const { bytes, name } = image;
  if (bytes.length < ELF64_HEADER) throw new Problem(`${name} is too short for an ELF file.`);
  const input = new ByteReader(bytes, name);
  const is64 = bytes[4] === ELFCLASS64;
  const machine = input.u16(18);
  if (machine !== EM_386 && machine !== EM_X86_64) {
    throw new Problem(`${name} is an ELF file for machine ${machine}; an x86 one (3 or 62) is needed.`);
  }
  const segments = programHeaders(input, is64)
    .filter((header) => header.type === PT_LOAD && header.memorySize > 0)
    .map((header) => loadable(input, header));
  if (segments.length === 0) throw new Problem(`${name} has no loadable part.`);
  const low = Math.min(...segments.map((part) => part.gpa));
  const high = Math.max(...segments.map((part) => part.gpa + part.size));
  // Each part is written, and what follows it cleared: overlapping ones would take as long as they like.
  if (segments.reduce((sum, { size }) => sum + size, 0) > high - low) {
    throw new Problem(`${name} has parts that lie over one another in memory.`);
  }
  const entry = is64 ? input.size64(24) : input.u32(24);
  if (entry > 0xffff_ffff) throw input.problem('is entered above 4 GiB, which no boot protocol does', 24);
  return { entry, low, high, segments };
}

interface ProgramHeader {
  readonly type: number;
  readonly offset: number;
  readonly physical: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

/** Where the program headers lie in an ELF file; nowhere in one that does not hold them. */
export function programHeaderTable(bytes: Uint8Array): { readonly start: number; readonly end: number } {
  if (bytes.length < ELF64_HEADER) return { start: 0, end: 0 };
  const { start, entrySize, count } = tableOf(new ByteReader(bytes, ''), bytes[4] === ELFCLASS64);
  const end = start + entrySize * count;
  return count > MOST_HEADERS || end > bytes.length ? { start: 0, end: 0 } : { start, end };
}

const tableOf = (input: ByteReader, is64: boolean) => ({
  start: is64 ? input.size64(32) : input.u32(28),
  entrySize: input.u16(is64 ? 54 : 42),
  count: input.u16(is64 ? 56 : 44),
});

function programHeaders(input: ByteReader, is64: boolean): ProgramHeader[] {
  const { start, entrySize, count } = tableOf(input, is64);
  const least = is64 ? 56 : 32;
  if (count > MOST_HEADERS) throw input.problem(`has ${count} program headers, more than any kernel`, is64 ? 56 : 44);
  if (count > 0 && entrySize < least) throw input.problem(`has program headers of ${entrySize} bytes`, is64 ? 54 : 42);
  input.table(start, count, entrySize, 'its table of program headers');
  return Array.from({ length: count }, (_, index) => (is64 ? header64 : header32)(input, start + index * entrySize));
}

function header32(input: ByteReader, at: number): ProgramHeader {
  const word = (index: number): number => input.u32(at + 4 * index);
  return { type: word(0), offset: word(1), physical: word(3), fileSize: word(4), memorySize: word(5) };
}

function header64(input: ByteReader, at: number): ProgramHeader {
  const quad = (offset: number): number => input.size64(at + offset);
  return { type: input.u32(at), offset: quad(8), physical: quad(24), fileSize: quad(32), memorySize: quad(40) };
}

function loadable(input: ByteReader, { offset, physical, fileSize, memorySize }: ProgramHeader): Segment {
  const bytes = input.part(offset, fileSize, 'a loadable part');
  if (memorySize < fileSize) throw input.problem('has a part that is larger in the file than in memory', offset);
  return { gpa: physical, bytes, size: memorySize };
}

/** A kernel has half a dozen. */
const MOST_HEADERS = 512;
const ELF64_HEADER = 64;
const ELFCLASS64 = 2;
const EM_386 = 3;
const EM_X86_64 = 62;
const PT_LOAD = 1;
