import { Problem } from '../../base/problem.ts';
import type { Gva } from '../../base/units.ts';

/** A name of an address. */
export interface NamedAddress {
  readonly name: string;
  readonly address: Gva;
  /** 0: up to the next symbol. */
  readonly size: bigint;
}

/** Names of addresses, and addresses of names. */
export interface SymbolTable {
  readonly count: number;
  addressOf(name: string): bigint | undefined;
  /** `name` or `name+0x12`, when the address lies in or soon after a symbol. */
  nameOf(address: Gva): string | undefined;
  /** Names that start so, for completion. */
  startingWith(prefix: string, limit: number): string[];
}

/** Farthest from an unsized symbol an address is still named after it. */
const REACH = 0x10_0000n;

/** A table of these symbols. */
export function symbolTable(symbols: readonly NamedAddress[]): SymbolTable {
  const sorted = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const byName = new Map<string, bigint>();
  for (const { name, address } of sorted) if (!byName.has(name)) byName.set(name, address);
  return {
    count: sorted.length,
    addressOf: (name) => byName.get(name),
    nameOf(address) {
      let low = 0;
      let high = sorted.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((sorted[middle] as NamedAddress).address <= address) low = middle + 1;
        else high = middle;
      }
      const found = sorted[low - 1];
      if (found === undefined) return undefined;
      const offset = address - found.address;
      if (offset >= (found.size === 0n ? REACH : found.size) && offset !== 0n) return undefined;
      return offset === 0n ? found.name : `${found.name}+0x${offset.toString(16)}`;
    },
    startingWith: (prefix, limit) => [...byName.keys()].filter((name) => name.startsWith(prefix)).slice(0, limit),
  };
}

/** No symbols. */
export const NO_SYMBOLS: SymbolTable = symbolTable([]);

/** Symbols of a file: the `.symtab` of an ELF file, or lines of a System.map. `base` is added to each address. */
export function readSymbols(name: string, bytes: Uint8Array, base = 0n): SymbolTable {
  const isElf = bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  const symbols = isElf ? elfSymbols(name, bytes) : mapSymbols(bytes);
  if (symbols.length === 0)
    throw new Problem(`${name} holds no symbols: give an ELF file with .symtab, or a System.map.`);
  return symbolTable(symbols.map((symbol) => ({ ...symbol, address: BigInt.asUintN(64, symbol.address + base) })));
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

function elfSymbols(name: string, bytes: Uint8Array): NamedAddress[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const is64 = bytes[4] === 2;
  try {
    return sections(view, is64).flatMap((section, _, all) =>
      section.type === SHT_SYMTAB ? symbolsOf(bytes, view, is64, section, all[section.link]) : [],
    );
  } catch (error) {
    if (error instanceof RangeError) throw new Problem(`${name} is damaged: a section lies beyond its end.`);
    throw error;
  }
}

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

function sections(view: DataView, is64: boolean): Section[] {
  const start = is64 ? Number(view.getBigUint64(40, true)) : view.getUint32(32, true);
  const size = view.getUint16(is64 ? 58 : 46, true);
  const count = view.getUint16(is64 ? 60 : 48, true);
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size;
    const word = (offset: number): number => view.getUint32(at + offset, true);
    const quad = (offset: number): number => Number(view.getBigUint64(at + offset, true));
    return is64
      ? { type: word(4), offset: quad(24), size: quad(32), link: word(40) }
      : { type: word(4), offset: word(16), size: word(20), link: word(24) };
  });
}

function symbolsOf(
  bytes: Uint8Array,
  view: DataView,
  is64: boolean,
  { offset, size }: Section,
  names: Section | undefined,
): NamedAddress[] {
  const each = is64 ? 24 : 16;
  const symbols: NamedAddress[] = [];
  for (let at = offset; at + each <= offset + size; at += each) {
    const info = view.getUint8(at + (is64 ? 4 : 12));
    const index = view.getUint16(at + (is64 ? 6 : 14), true);
    const address = is64 ? view.getBigUint64(at + 8, true) : BigInt(view.getUint32(at + 4, true));
    const length = is64 ? view.getBigUint64(at + 16, true) : BigInt(view.getUint32(at + 8, true));
    const name = textAt(bytes, (names?.offset ?? 0) + view.getUint32(at, true));
    if (index !== 0 && name !== '' && ADDRESSED.has(info & 15)) symbols.push({ name, address, size: length });
  }
  return symbols;
}

function textAt(bytes: Uint8Array, start: number): string {
  const end = bytes.indexOf(0, start);
  return end < 0 ? '' : new TextDecoder().decode(bytes.subarray(start, end));
}
