import { ByteReader } from '../../base/byte-reader.ts';

/** A section of an ELF file. System V ABI, chapter 4 "Sections". */
export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly link: number;
  /** Empty where the file holds none. */
  readonly bytes: Uint8Array;
}

/** An ELF file, little-endian. */
export interface ElfFile {
  readonly is64: boolean;
  readonly sections: readonly ElfSection[];
  /** Bytes of the file. */
  readonly length: number;
}

const NOBITS = 8;
const COMPRESSED = 0x800;

export const isElf = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

/** Read the sections. Throws a Problem when one lies beyond the file's end. */
export function readElf(name: string, bytes: Uint8Array): ElfFile {
  const input = new ByteReader(bytes, name);
  const is64 = input.u8(4) === 2;
  return { is64, sections: sectionsOf(input, is64), length: bytes.length };
}

/** The bytes of a section by name; undefined when there is none, or it is compressed. */
export const sectionNamed = ({ sections }: ElfFile, name: string): ElfSection | undefined =>
  sections.find((section) => section.name === name && (section.flags & COMPRESSED) === 0 && section.bytes.length > 0);

function sectionsOf(input: ByteReader, is64: boolean): ElfSection[] {
  const start = is64 ? input.size64(40) : input.u32(32);
  const size = input.u16(is64 ? 58 : 46);
  const count = input.u16(is64 ? 60 : 48);
  const names = input.u16(is64 ? 62 : 50);
  if (count > 0 && size < (is64 ? 64 : 40)) throw input.problem(`has section headers of ${size} bytes`, is64 ? 58 : 46);
  input.table(start, count, size, 'its table of sections');
  const read = Array.from({ length: count }, (_, index) => sectionAt(input, start + index * size, is64));
  return read.map(({ nameAt, ...section }) => ({ ...section, name: textAt(read[names]?.bytes, nameAt) }));
}

function sectionAt(input: ByteReader, at: number, is64: boolean) {
  const word = (offset: number): number => input.u32(at + offset);
  const [offset, size] = is64 ? [input.size64(at + 24), input.size64(at + 32)] : [word(16), word(20)];
  const type = word(4);
  return {
    nameAt: word(0),
    type,
    flags: is64 ? input.size64(at + 8) : word(8),
    address: is64 ? input.u64(at + 16) : BigInt(word(12)),
    link: is64 ? word(40) : word(24),
    bytes: type === NOBITS || size === 0 ? new Uint8Array(0) : input.part(offset, size, 'a section'),
  };
}

/** Longer ones name nothing a person could type. */
const LONGEST_TEXT = 4096;

/** Text up to its zero. */
export function textAt(bytes: Uint8Array | undefined, start: number): string {
  const end = bytes?.subarray(start, start + LONGEST_TEXT).indexOf(0) ?? -1;
  return bytes === undefined || end < 0 ? '' : new TextDecoder().decode(bytes.subarray(start, start + end));
}
