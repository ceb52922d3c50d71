import { ByteReader } from '../../base/byte-reader.ts';
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
  const input = new ByteReader(bytes, name);
  const is64 = input.u8(4) === 2;
  const all = sections(input, is64);
  const tables = all.filter(({ type }) => type === SHT_SYMTAB);
  if (tables.reduce((sum, { size }) => sum + size, 0) > bytes.length) {
    throw input.problem('is damaged: its tables of symbols are larger than itself', 0);
  }
  return tables.flatMap((table) => symbolsOf(input, is64, table, all[table.link]));
}

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

function sections(input: ByteReader, is64: boolean): Section[] {
  const start = is64 ? input.size64(40) : input.u32(32);
  const size = input.u16(is64 ? 58 : 46);
  const count = input.u16(is64 ? 60 : 48);
  if (count > 0 && size < (is64 ? 64 : 40)) throw input.problem(`has section headers of ${size} bytes`, is64 ? 58 : 46);
  input.table(start, count, size, 'its table of sections');
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size;
    const word = (offset: number): number => input.u32(at + offset);
    const quad = (offset: number): number => input.size64(at + offset);
    return is64
      ? { type: word(4), offset: quad(24), size: quad(32), link: word(40) }
      : { type: word(4), offset: word(16), size: word(20), link: word(24) };
  });
}

/** Longer ones name nothing a person could type. */
const LONGEST_NAME = 4096;

function symbolsOf(
  input: ByteReader,
  is64: boolean,
  { offset, size }: Section,
  names: Section | undefined,
): NamedAddress[] {
  const each = is64 ? 24 : 16;
  const symbols: NamedAddress[] = [];
  input.table(offset, 1, size, 'its table of symbols');
  for (let at = offset; at + each <= offset + size; at += each) {
    const info = input.u8(at + (is64 ? 4 : 12));
    if (input.u16(at + (is64 ? 6 : 14)) === 0 || !ADDRESSED.has(info & 15)) continue;
    const address = is64 ? input.u64(at + 8) : BigInt(input.u32(at + 4));
    const length = is64 ? input.u64(at + 16) : BigInt(input.u32(at + 8));
    const name = input.terminated((names?.offset ?? 0) + input.u32(at), LONGEST_NAME) ?? '';
    if (name !== '') symbols.push({ name, address, size: length });
  }
  return symbols;
}
