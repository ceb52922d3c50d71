import { Problem } from '../../base/problem.ts';

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
}

const NOBITS = 8;
const COMPRESSED = 0x800;

export const isElf = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

/** Read the sections. Throws a Problem when one lies beyond the file's end. */
export function readElf(name: string, bytes: Uint8Array): ElfFile {
  try {
    const is64 = bytes[4] === 2;
    return { is64, sections: sectionsOf(bytes, is64) };
  } catch (error) {
    if (error instanceof RangeError) throw new Problem(`${name} is damaged: a section lies beyond its end.`);
    throw error;
  }
}

/** The bytes of a section by name; undefined when there is none, or it is compressed. */
export const sectionNamed = ({ sections }: ElfFile, name: string): ElfSection | undefined =>
  sections.find((section) => section.name === name && (section.flags & COMPRESSED) === 0 && section.bytes.length > 0);

function sectionsOf(bytes: Uint8Array, is64: boolean): ElfSection[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = is64 ? Number(view.getBigUint64(40, true)) : view.getUint32(32, true);
  const size = view.getUint16(is64 ? 58 : 46, true);
  const count = view.getUint16(is64 ? 60 : 48, true);
  const names = view.getUint16(is64 ? 62 : 50, true);
  const read = Array.from({ length: count }, (_, index) => sectionAt(bytes, view, start + index * size, is64));
  return read.map(({ nameAt, ...section }) => ({ ...section, name: textAt(read[names]?.bytes, nameAt) }));
}

function sectionAt(bytes: Uint8Array, view: DataView, at: number, is64: boolean) {
  const word = (offset: number): number => view.getUint32(at + offset, true);
  const wide = (offset: number): bigint => view.getBigUint64(at + offset, true);
  const [offset, size] = is64 ? [Number(wide(24)), Number(wide(32))] : [word(16), word(20)];
  const type = word(4);
  if (type !== NOBITS && offset + size > bytes.length) throw new RangeError('beyond the file');
  return {
    nameAt: word(0),
    type,
    flags: is64 ? Number(wide(8)) : word(8),
    address: is64 ? wide(16) : BigInt(word(12)),
    link: is64 ? word(40) : word(24),
    bytes: type === NOBITS ? new Uint8Array(0) : bytes.subarray(offset, offset + size),
  };
}

/** Text up to its zero. */
export function textAt(bytes: Uint8Array | undefined, start: number): string {
  const end = bytes?.indexOf(0, start) ?? -1;
  return bytes === undefined || end < 0 ? '' : new TextDecoder().decode(bytes.subarray(start, end));
}
