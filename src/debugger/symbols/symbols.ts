import { partitionPoint } from '../../base/partition.ts';
import { Problem } from '../../base/problem.ts';
import type { Gva } from '../../base/units.ts';
import type { FrameSection } from './dwarf/frame-entries.ts';
import { type LineTable, lineTable, type SourceLine } from './dwarf/lines.ts';
import { type CallFrames, callFrames } from './dwarf/unwind.ts';
import { type ElfFile, isElf, readElf, sectionNamed, textAt } from './elf.ts';

/** A name of an address. */
export interface NamedAddress {
  readonly name: string;
  readonly address: Gva;
  /** 0: up to the next symbol. */
  readonly size: bigint;
}

/** What a file says of its code. */
export interface CodeKnown {
  /** How callers are found. */
  readonly frames?: CallFrames;
  lineAt(address: Gva): SourceLine | undefined;
}

/** Names of addresses, and addresses of names. */
export interface SymbolTable {
  readonly count: number;
  /** Of the file they come from, when it says more than names. */
  readonly code?: CodeKnown | undefined;
  addressOf(name: string): bigint | undefined;
  /** `name` or `name+0x12`, when the address lies in or soon after a symbol. */
  nameOf(address: Gva): string | undefined;
  /** The symbol an address lies in or soon after. */
  symbolAt(address: Gva): NamedAddress | undefined;
  /** Names that start so, for completion. */
  startingWith(prefix: string, limit: number): string[];
}

/** Farthest from an unsized symbol an address is still named after it. */
const REACH = 0x10_0000n;

/** A table of these symbols. */
export function symbolTable(symbols: readonly NamedAddress[], code?: CodeKnown): SymbolTable {
  const sorted = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const byName = new Map<string, bigint>();
  for (const { name, address } of sorted) if (!byName.has(name)) byName.set(name, address);
  const symbolAt = (address: Gva): NamedAddress | undefined => {
    const found = sorted[partitionPoint(sorted.length, (at) => sorted[at]!.address <= address) - 1];
    if (found === undefined) return undefined;
    const offset = address - found.address;
    return offset >= (found.size === 0n ? REACH : found.size) && offset !== 0n ? undefined : found;
  };
  return {
    count: sorted.length,
    code,
    addressOf: (name) => byName.get(name),
    nameOf(address) {
      const found = symbolAt(address);
      return found === undefined ? undefined : offsetName(found, address);
    },
    symbolAt,
    startingWith: (prefix, limit) => [...byName.keys()].filter((name) => name.startsWith(prefix)).slice(0, limit),
  };
}

/** `name` or `name+0x12`. */
export function offsetName({ name, address: start }: NamedAddress, address: Gva): string {
  return address === start ? name : `${name}+0x${(address - start).toString(16)}`;
}

/** No symbols. */
export const NO_SYMBOLS: SymbolTable = symbolTable([]);

/**
 * Symbols of a file: the `.symtab` of an ELF file, with its call frame information and source lines, or lines of a
 * System.map. `base` is added to each address.
 */
export function readSymbols(name: string, bytes: Uint8Array, base = 0n): SymbolTable {
  const elf = isElf(bytes) ? readElf(name, bytes) : undefined;
  const symbols = elf === undefined ? mapSymbols(bytes) : elfSymbols(name, elf);
  if (symbols.length === 0)
    throw new Problem(`${name} holds no symbols: give an ELF file with .symtab, or a System.map.`);
  const moved = symbols.map((symbol) => ({ ...symbol, address: BigInt.asUintN(64, symbol.address + base) }));
  return symbolTable(moved, elf === undefined ? undefined : codeOf(elf, base));
}

function mapSymbols(bytes: Uint8Array): NamedAddress[] {
  const symbols: NamedAddress[] = [];
  for (const line of new TextDecoder().decode(bytes).split('\n')) {
    const match = /^([0-9a-f]{8,16}) ([A-Za-z]) (\S+)/.exec(line);
    if (match !== null) symbols.push({ name: match[3] as string, address: BigInt(`0x${match[1]}`), size: 0n });
  }
  return symbols;
}

const SHT_SYMTAB = 2;
/** NamedAddress types with an address in the guest: none, object, function. System V ABI, chapter 4. */
const ADDRESSED = new Set([0, 1, 2]);

function elfSymbols(name: string, { is64, sections, length }: ElfFile): NamedAddress[] {
  const tables = sections.filter(({ type }) => type === SHT_SYMTAB);
  if (tables.reduce((sum, { bytes }) => sum + bytes.length, 0) > length) {
    throw new Problem(`${name} is damaged: its tables of symbols are larger than itself.`);
  }
  return tables.flatMap(({ bytes, link }) => symbolsOf(bytes, is64, sections[link]?.bytes));
}

function symbolsOf(bytes: Uint8Array, is64: boolean, names: Uint8Array | undefined): NamedAddress[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const each = is64 ? 24 : 16;
  const symbols: NamedAddress[] = [];
  for (let at = 0; at + each <= bytes.length; at += each) {
    const info = view.getUint8(at + (is64 ? 4 : 12));
    const index = view.getUint16(at + (is64 ? 6 : 14), true);
    const address = is64 ? view.getBigUint64(at + 8, true) : BigInt(view.getUint32(at + 4, true));
    const length = is64 ? view.getBigUint64(at + 16, true) : BigInt(view.getUint32(at + 8, true));
    const name = textAt(names, view.getUint32(at, true));
    if (index !== 0 && name !== '' && ADDRESSED.has(info & 15)) symbols.push({ name, address, size: length });
  }
  return symbols;
}

/** What the file says of its code: callers and source lines. Read when it is asked for. */
function codeOf(file: ElfFile, base: bigint): CodeKnown {
  const addressSize = file.is64 ? 8 : 4;
  const frames = ['.debug_frame', '.eh_frame'].flatMap((name): FrameSection[] => {
    const section = sectionNamed(file, name);
    const isEh = name === '.eh_frame';
    return section === undefined ? [] : [{ bytes: section.bytes, address: section.address, isEh, addressSize }];
  });
  const lines = sectionNamed(file, '.debug_line')?.bytes;
  const bytesOf = (name: string): Uint8Array | undefined => sectionNamed(file, name)?.bytes;
  let table: LineTable | undefined;
  return {
    ...(frames.length === 0 ? {} : { frames: callFrames(frames, base) }),
    lineAt(address) {
      if (lines === undefined) return undefined;
      const texts = { lineTexts: bytesOf('.debug_line_str'), texts: bytesOf('.debug_str') };
      table ??= lineTable({ lines, ...texts, addressSize });
      return table.lineAt(BigInt.asUintN(64, address - base));
    },
  };
}
