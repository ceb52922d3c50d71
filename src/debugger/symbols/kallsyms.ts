import type { Work } from '../../base/work.ts';
import { type GuestView, readPhysical } from '../../machine/guest-view.ts';
import type { NamedAddress } from './symbols.ts';

/** The digits are tokens of their own in every kernel: what their part of kallsyms_token_table looks like. */
const DIGITS = new TextEncoder().encode('0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00');
/** Index of the token `0`. */
const DIGIT_ZERO = 0x30;
const TOKENS = 256;
/** Names a marker stands for. */
const PER_MARKER = 256;
const LONGEST_TAIL = 16_384;
const MIB = 2 ** 20;
const PAGE = 4096;

/** Memory is searched in pieces of this size. */
const SEARCHED = 8 * MIB;
/** What lies before and behind the digits and belongs to the tables: those of a kernel with everything are 6 MiB. */
const BEFORE = 16 * MIB;
const BEHIND = MIB;

/**
 * The symbols of the Linux kernel that runs, from its own kallsyms in guest memory: no file is needed and KASLR is
 * already in them. The layout is that of Linux 6.1 to 6.3, scripts/kallsyms.c: offsets, relative base, number, names,
 * markers, sequence numbers (3 bytes each; not in the first 6.1), token table, each aligned to 8. Empty when not found.
 */
export function* kernelSymbols(view: GuestView): Work<readonly NamedAddress[]> {
  for (const { baseGfn, npages } of view.machine.state.kvm.vm?.slots ?? []) {
    const [start, end] = [baseGfn * PAGE, (baseGfn + npages) * PAGE];
    if (end - start < MIB) continue;
    for (let from = start; from < end; from += SEARCHED) {
      const memory = readPhysical(view, from, Math.min(end - from, SEARCHED + DIGITS.length));
      for (let at = find(memory, DIGITS, 0); at >= 0; at = find(memory, DIGITS, at + 1)) {
        const first = Math.max(start, from + at - BEFORE);
        const around = readPhysical(view, first, Math.min(end, from + at + BEHIND) - first);
        const symbols = yield* symbolsAround(around, from + at - first);
        if (symbols !== undefined) return symbols;
      }
      yield (from - start) / (end - start);
    }
  }
  return [];
}

function find(memory: Uint8Array, pattern: Uint8Array, from: number): number {
  for (
    let at = memory.indexOf(pattern[0] as number, from);
    at >= 0;
    at = memory.indexOf(pattern[0] as number, at + 1)
  ) {
    if (pattern.every((byte, index) => memory[at + index] === byte)) return at;
  }
  return -1;
}

/** The table of tokens around its digits; its start is where the 48 tokens before begin. */
function tokensAround(memory: Uint8Array, digits: number): { readonly start: number; readonly tokens: string[] } {
  let start = digits - 1;
  for (let left = DIGIT_ZERO; left > 0 && start > 0; left -= 1) start = memory.lastIndexOf(0, start - 1);
  start += 1;
  const tokens: string[] = [];
  for (let at = start; tokens.length < TOKENS; ) {
    const end = memory.indexOf(0, at);
    if (end < 0) break;
    tokens.push(new TextDecoder('latin1').decode(memory.subarray(at, end)));
    at = end + 1;
  }
  return { start, tokens };
}

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;

const FEWEST = 1000;
/** Numbers of symbols tried in one piece. */
const COUNTS = 1 << 15;
const MOST = 1_000_000;

function* symbolsAround(memory: Uint8Array, digits: number): Work<readonly NamedAddress[] | undefined> {
  const { start, tokens } = tokensAround(memory, digits);
  if (tokens.length < TOKENS || start % 8 !== 0) return undefined;
  const data = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  for (let count = FEWEST; count < MOST; count += 1) {
    if (count % COUNTS === 0) yield undefined;
    for (const sequences of [aligned(3 * count), 0]) {
      const markers = start - sequences - aligned(4 * Math.ceil(count / PER_MARKER));
      if (markers < 0 || !areMarkers(data, markers, count)) continue;
      const last = data.getUint32(markers + 4 * (Math.ceil(count / PER_MARKER) - 1), true);
      for (let names = markers - aligned(last); names > markers - last - LONGEST_TAIL && names >= 32; names -= 8) {
        if (data.getUint32(names - 8, true) !== count) continue;
        const list = namesAt(memory, names, count, tokens, markers);
        yield undefined;
        if (list !== undefined) return withAddresses(data, names, list);
      }
    }
  }
  return undefined;
}

/** Where the names of every 256th symbol begin: 32-bit offsets that rise from 0. */
function areMarkers(data: DataView, start: number, count: number): boolean {
  if (data.getUint32(start, true) !== 0) return false;
  for (let at = 1; at < Math.ceil(count / PER_MARKER); at += 1) {
    const step = data.getUint32(start + 4 * at, true) - data.getUint32(start + 4 * at - 4, true);
    if (step < PER_MARKER || step > LONGEST_TAIL) return false;
  }
  return true;
}

/** `count` names that end where the markers begin, up to the padding. */
function namesAt(
  memory: Uint8Array,
  start: number,
  count: number,
  tokens: readonly string[],
  end: number,
): string[] | undefined {
  const names: string[] = [];
  let at = start;
  while (names.length < count && at < end) {
    let length = memory[at++] as number;
    if ((length & 0x80) !== 0) length = (length & 0x7f) | ((memory[at++] as number) << 7);
    let name = '';
    for (const token of memory.subarray(at, at + length)) name += tokens[token];
    names.push(name);
    at += length;
  }
  return names.length === count && at <= end && end - at < 8 ? names : undefined;
}

/** Negative offsets are distances from the relative base; others are absolute (per-CPU). */
function withAddresses(data: DataView, names: number, list: readonly string[]): NamedAddress[] {
  const base = data.getBigUint64(names - 16, true);
  const offsets = names - 16 - Math.ceil((list.length * 4) / 8) * 8;
  return list.map((name, index) => {
    const offset = data.getInt32(offsets + index * 4, true);
    const address = offset >= 0 ? BigInt(offset) : base - 1n - BigInt(offset);
    // The first letter is the symbol's type, as nm prints it.
    return { name: name.slice(1), address: BigInt.asUintN(64, address), size: 0n };
  });
}
