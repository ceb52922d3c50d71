/** Bytes of a page of bulk state. */
export const PAGE_SIZE = 4096;

/** A page that will never change. Checkpoints share it. */
export type Page = Uint8Array;

/** Pages of a region in blocks of `BLOCK_PAGES`. Images share the blocks in which nothing changed. */
export type RegionImage = readonly (readonly Page[])[];

/** Pages of every region at one moment. */
export type PageImage = readonly RegionImage[];

/** Pages of a block of an image. */
export const BLOCK_PAGES = 256;

/** The page nothing was ever written to. */
export const ZERO_PAGE: Page = new Uint8Array(PAGE_SIZE);

/** In an image of a sparse region: what the base has there. */
export const BASE_PAGE: Page = new Uint8Array(0);

/** A block of such. */
export const BASE_BLOCK: readonly Page[] = Object.freeze(new Array<Page>(BLOCK_PAGES).fill(BASE_PAGE));

/** Visit every page in which a region differs from another image's. Shared blocks are not looked into. */
export function eachDifference(
  wanted: RegionImage,
  have: RegionImage | undefined,
  visit: (page: number, wanted: Page, have: Page | undefined) => void,
): void {
  if (wanted === have) return;
  for (let block = 0; block < wanted.length; block += 1) {
    const left = wanted[block]!;
    const right = have?.[block];
    if (left === right) continue;
    for (let at = 0; at < left.length; at += 1) {
      if (left[at] !== right?.[at]) visit(block * BLOCK_PAGES + at, left[at]!, right?.[at]);
    }
  }
}
