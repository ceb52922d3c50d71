import { Problem } from '../../base/problem.ts';
import type { Gva } from '../../base/units.ts';
import { type GuestView, readLinear, readPhysical, registersOf } from '../../machine/guest-view.ts';
import type { SymbolTable } from '../symbols/symbols.ts';
import { type Names, numberIn, parseExpression, type Scope } from '../../replay/expression/expression.ts';
import { REGISTER_NAMES, registerReader } from './named-registers.ts';

/** Where one looks from: a machine that stands still, the processor it is about, and the names that are known. */
export interface Vantage {
  readonly view: GuestView;
  readonly vcpu: number;
  readonly symbols: SymbolTable;
}

/** A number from what somebody types: digits, `$rax`, a symbol, `u64[ADDR]`, and C's operators over these. */
export const evaluate = (from: Vantage, text: string): bigint =>
  numberIn(
    parseExpression(
      text,
      namesFor((name) => from.symbols.addressOf(name) !== undefined),
    ),
    scopeOf(from),
  );

/** The names an expression may use where there is a machine to look at, given its symbols. */
export const namesFor = (hasSymbol: (name: string) => boolean): Names => ({
  hasSymbol,
  registers: { has: (name) => REGISTER_NAMES.includes(name), all: () => REGISTER_NAMES },
  changes: false,
});

/** What names mean from there. */
export function scopeOf(from: Vantage): Scope {
  const { view } = from;
  return {
    register: (name) => registerReader(name)(registersOf(view, from.vcpu)),
    field: () => undefined,
    symbol(name) {
      const address = from.symbols.addressOf(name);
      if (address === undefined) throw new Problem(`No symbol is named ${name}.`);
      return address;
    },
    memory(address, size, space) {
      const bytes =
        space === 'linear' ? readLinear(view, from.vcpu, address, size) : readPhysical(view, Number(address), size);
      if (bytes.length < size) throw new Problem(`There is no memory at 0x${address.toString(16)}.`);
      return littleEndian(bytes);
    },
  };
}

/** Bytes as an unsigned little-endian number. */
export const littleEndian = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

/** An address, and its name when it has one. */
export interface NamedPlace {
  readonly address: Gva;
  readonly name: string | undefined;
}

export const placeAt = ({ symbols }: Vantage, address: Gva): NamedPlace => ({
  address,
  name: symbols.nameOf(address),
});

/** `0x... <name+0x12>`, or the address alone. */
export function placeText({ address, name }: NamedPlace): string {
  const digits = `0x${address.toString(16)}`;
  return name === undefined ? digits : `${digits} <${name}>`;
}

/** An address as it is printed. */
export const named = (from: Vantage, address: Gva): string => placeText(placeAt(from, address));
