/** Sets of pages by their numbers: words of 32 pages, one bit each; a word that is not there is 0. */
import { invariant } from '../base/invariant.ts';

/** Words by page number / 32. */
export type PageBits = Readonly<Record<number, number>>;

/** Of the guest-physical memory a machine can have: 4 GiB. */
const MOST_PAGES = 2 ** 20;

export const hasPage = (pages: PageBits, page: number): boolean =>
  (((pages[page >> 5] ?? 0) >>> (page & 31)) & 1) !== 0;

/** Pages of a bitmap whose bit 0 of byte 0 is `first`, in order. */
export function pagesOfBitmap(first: number, bitmap: Uint8Array): number[] {
  const pages: number[] = [];
  for (const [at, byte] of bitmap.entries()) {
    for (let bit = 0; byte >>> bit !== 0; bit += 1) if (((byte >>> bit) & 1) !== 0) pages.push(first + 8 * at + bit);
  }
  return pages;
}

/** Those of a set from one page up to another, in order. */
export function pagesBetween(set: PageBits, from: number, to: number): number[] {
  const words = Object.keys(set).map(Number);
  const inside = words.filter((word) => word >= from >> 5 && word * 32 < to).sort((a, b) => a - b);
  return inside.flatMap((word) => {
    const all = Array.from({ length: 32 }, (_, bit) => word * 32 + bit);
    return all.filter((page) => page >= from && page < to && hasPage(set, page));
  });
}

/** All of a set, in order. */
export const pagesOf = (set: PageBits): number[] => pagesBetween(set, 0, MOST_PAGES);

/** A bitmap that has these pages, in order, and whose bit 0 of byte 0 is the first; undefined: there are none. */
export function bitmapOf(
  pages: readonly number[],
): { readonly first: number; readonly bitmap: Uint8Array } | undefined {
  const [first] = pages;
  if (first === undefined) return undefined;
  const bitmap = new Uint8Array(((pages[pages.length - 1]! - first) >> 3) + 1);
  for (const page of pages) bitmap[(page - first) >> 3]! |= 1 << ((page - first) & 7);
  return { first, bitmap };
}

/** Put pages into a set that may be changed. */
export function addPages(set: Record<number, number>, pages: readonly number[]): void {
  for (const page of pages) {
    invariant(page < MOST_PAGES, 'a page lies below 4 GiB', { page });
    set[page >> 5] = ((set[page >> 5] ?? 0) | (1 << (page & 31))) >>> 0;
  }
}

/** Take pages out of a set that may be changed. */
export function removePages(set: Record<number, number>, pages: readonly number[]): void {
  for (const page of pages) {
    const left = ((set[page >> 5] ?? 0) & ~(1 << (page & 31))) >>> 0;
    if (left === 0) delete set[page >> 5];
    else set[page >> 5] = left;
  }
}
