import type { NamedAddress } from './symbols.ts';

/** A range of addresses of code; what lies between ranges is data. */
export interface CodeRange {
  readonly start: bigint;
  readonly end: bigint;
}

interface SectionHeader {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  /** Without it the section has a size only. */
  readonly bytes?: Uint8Array;
  readonly size: bigint;
  readonly link?: number;
  readonly info?: number;
  readonly entrySize?: number;
}

const PROGBITS = 1;
const SYMTAB = 2;
const STRTAB = 3;
const NOBITS = 8;
const ALLOC_CODE = 6;
const ALLOC_DATA = 3;
const HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const ABSOLUTE = 0xfff1;
const GLOBAL_OBJECT = 0x11;
const GLOBAL_FUNCTION = 0x12;

/**
 * An ELF file that holds nothing but names of addresses and, when given, `.debug_frame`: what gdb needs to know of a
 * kernel whose own file nobody has. System V ABI, chapter 4 "Object Files".
 */
export function symbolFile(
  symbols: readonly NamedAddress[],
  code: readonly CodeRange[],
  frames: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const sorted = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const spans = spansOf(sorted, code);
  const { table, names } = symbolTableOf(sorted, spans);
  const sections: SectionHeader[] = [
    { name: '', type: 0, flags: 0, address: 0n, size: 0n },
    ...spans.map(({ start, end, isCode }, index) => ({
      name: `${isCode ? '.text' : '.data'}${index === 0 ? '' : `.${index}`}`,
      type: NOBITS,
      flags: isCode ? ALLOC_CODE : ALLOC_DATA,
      address: start,
      size: end - start,
    })),
    { name: '.debug_frame', ...held(PROGBITS, frames) },
    { name: '.symtab', ...held(SYMTAB, table), link: spans.length + 3, info: 1, entrySize: SYMBOL_BYTES },
    { name: '.strtab', ...held(STRTAB, names) },
  ];
  return elfFile(sections);
}

const held = (type: number, bytes: Uint8Array) => ({ type, flags: 0, address: 0n, bytes, size: BigInt(bytes.length) });

interface Span extends CodeRange {
  readonly isCode: boolean;
}

/** Code and what lies between, from the first code to the last symbol. */
function spansOf(sorted: readonly NamedAddress[], code: readonly CodeRange[]): Span[] {
  const spans: Span[] = [];
  let at = code[0]?.start ?? 0n;
  for (const { start, end } of code) {
    if (start > at) spans.push({ start: at, end: start, isCode: false });
    spans.push({ start, end, isCode: true });
    at = end;
  }
  const last = sorted[sorted.length - 1]?.address ?? at;
  if (last >= at) spans.push({ start: at, end: last + 1n, isCode: false });
  return spans;
}

function symbolTableOf(
  sorted: readonly NamedAddress[],
  spans: readonly Span[],
): { readonly table: Uint8Array; readonly names: Uint8Array } {
  const table = new Uint8Array((sorted.length + 1) * SYMBOL_BYTES);
  const data = new DataView(table.buffer);
  const texts: Uint8Array[] = [Uint8Array.of(0)];
  let length = 1;
  const encoder = new TextEncoder();
  for (const [index, { name, address, size }] of sorted.entries()) {
    const at = (index + 1) * SYMBOL_BYTES;
    const span = spans.findIndex(({ start, end }) => address >= start && address < end);
    const next = sorted[index + 1]?.address ?? address;
    data.setUint32(at, length, true);
    data.setUint8(at + 4, spans[span]?.isCode === true ? GLOBAL_FUNCTION : GLOBAL_OBJECT);
    data.setUint16(at + 6, span < 0 ? ABSOLUTE : span + 1, true);
    data.setBigUint64(at + 8, address, true);
    data.setBigUint64(at + 16, span < 0 ? 0n : size === 0n ? next - address : size, true);
    const text = encoder.encode(`${name}\0`);
    texts.push(text);
    length += text.length;
  }
  return { table, names: joined(texts, length) };
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Header, the sections' bytes, and the table of sections, the last of which holds their names. */
function elfFile(sections: readonly SectionHeader[]): Uint8Array {
  const all = [...sections, { name: '.shstrtab', ...held(STRTAB, new Uint8Array(0)) }];
  const names = new TextEncoder().encode(all.map(({ name }) => `${name}\0`).join(''));
  all[all.length - 1] = { name: '.shstrtab', ...held(STRTAB, names) };
  const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;
  const size = all.reduce((sum, { bytes }) => sum + aligned(bytes?.length ?? 0), HEADER_BYTES);
  const file = new Uint8Array(size + all.length * HEADER_BYTES);
  const data = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  // ET_EXEC, EM_X86_64, version 1.
  data.setUint16(16, 2, true);
  data.setUint16(18, 62, true);
  data.setUint32(20, 1, true);
  data.setBigUint64(40, BigInt(size), true);
  data.setUint16(52, HEADER_BYTES, true);
  data.setUint16(58, HEADER_BYTES, true);
  data.setUint16(60, all.length, true);
  data.setUint16(62, all.length - 1, true);
  let offset = HEADER_BYTES;
  let name = 0;
  for (const [index, section] of all.entries()) {
    writeSection(data, size + index * HEADER_BYTES, section, name, offset);
    if (section.bytes !== undefined) file.set(section.bytes, offset);
    offset += aligned(section.bytes?.length ?? 0);
    name += section.name.length + 1;
  }
  return file;
}

function writeSection(data: DataView, at: number, section: SectionHeader, name: number, offset: number): void {
  data.setUint32(at, name, true);
  data.setUint32(at + 4, section.type, true);
  data.setBigUint64(at + 8, BigInt(section.flags), true);
  data.setBigUint64(at + 16, section.address, true);
  data.setBigUint64(at + 24, BigInt(offset), true);
  data.setBigUint64(at + 32, section.size, true);
  data.setUint32(at + 40, section.link ?? 0, true);
  data.setUint32(at + 44, section.info ?? 0, true);
  data.setBigUint64(at + 48, 8n, true);
  data.setBigUint64(at + 56, BigInt(section.entrySize ?? 0), true);
}
