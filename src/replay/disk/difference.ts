/** Where two contents of a drive differ. */
import { SECTOR } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import { PAGE_SIZE } from '../../memory/images.ts';
import type { SparseBytes } from '../../memory/sparse.ts';

/** Sectors that lie together. */
export interface SectorRange {
  readonly sector: number;
  count: number;
}

const PIECE = 1 << 8;

/** Pages that may differ: those that either has other than the image they are both of. */
export function pagesApart(left: SparseBytes, right: SparseBytes): number[] {
  const pages = new Set([...left.changedPages(), ...right.changedPages()]);
  const apart = [...pages].filter((page) => left.page(page) !== right.page(page));
  return [...new Set([...apart, ...cutOff(left, right)])].sort((a, b) => a - b);
}

/** Pages of which one shows what the image has, and the other was once shorter than that. */
function cutOff(left: SparseBytes, right: SparseBytes): number[] {
  const [from, to] = [left.shownOfBase, right.shownOfBase].sort((a, b) => a - b) as [number, number];
  const first = Math.floor(from / PAGE_SIZE);
  return from === to ? [] : Array.from({ length: Math.ceil(to / PAGE_SIZE) - first }, (_, at) => first + at);
}

/** The sectors that differ between two contents of one drive, in order. */
export function* differingSectors(left: SparseBytes, right: SparseBytes): Work<SectorRange[]> {
  const ranges: SectorRange[] = [];
  const apart = pagesApart(left, right);
  for (const [at, page] of apart.entries()) {
    for (const sector of sectorsApart(left, right, page)) {
      const last = ranges.at(-1);
      if (last !== undefined && last.sector + last.count === sector) last.count += 1;
      else ranges.push({ sector, count: 1 });
    }
    if (at % PIECE === 0) yield at / apart.length;
  }
  return ranges;
}

/** Whether two contents of one drive differ. */
export const isOther = (left: SparseBytes, right: SparseBytes): boolean =>
  pagesApart(left, right).some((page) => sectorsApart(left, right, page).length > 0);

function sectorsApart(left: SparseBytes, right: SparseBytes, page: number): number[] {
  const from = page * PAGE_SIZE;
  const length = Math.max(0, Math.min(PAGE_SIZE, Math.max(left.size, right.size) - from));
  const [one, other] = [left, right].map((content) => readBytes(content, from, length)) as [Uint8Array, Uint8Array];
  const found: number[] = [];
  for (let at = 0; at < length; at += SECTOR) {
    let i = at;
    while (i < at + SECTOR && one[i] === other[i]) i += 1;
    if (i < Math.min(length, at + SECTOR)) found.push((from + at) / SECTOR);
  }
  return found;
}

/** What lies beyond its end reads as zeroes: it may have been larger, or is going to be. */
export function readBytes(content: SparseBytes, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  content.read(offset, bytes.subarray(0, Math.max(0, content.size - offset)));
  return bytes;
}

const LINE = 16;

/** Bytes as `hexdump -C` prints them. */
function dumpText(bytes: Uint8Array): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  const halves = [digits.slice(0, LINE / 2), digits.slice(LINE / 2)].map((half) => half.join(' '));
  const text = Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
  return `${halves.join('  ').padEnd(48)}  |${text}|`;
}

/** A sector before and after, by the lines in which it differs; `*` stands for more of the same. */
export function sectorDifference(left: SparseBytes, right: SparseBytes, sector: number): string[] {
  const lines: string[] = [];
  let last = '';
  for (let at = sector * SECTOR; at < (sector + 1) * SECTOR; at += LINE) {
    const [one, other] = [left, right].map((content) => dumpText(readBytes(content, at, LINE)));
    if (one === other) continue;
    const both = `${one}\n${other}`;
    const place = at.toString(16).padStart(8, '0');
    if (both !== last) lines.push(`- ${place}  ${one}`, `+ ${place}  ${other}`);
    else if (lines.at(-1) !== '*') lines.push('*');
    last = both;
  }
  return lines;
}
