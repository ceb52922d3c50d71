import { digestOfBytes } from '../base/digest.ts';
import { xxh32 } from '../base/xxh32.ts';
import {
  BLOCK_PAGES,
  eachDifference,
  PAGE_SIZE,
  type Page,
  type PageImage,
  type RegionImage,
  ZERO_PAGE,
} from './images.ts';
import { FollowedSparse, type SparseRegion } from './sparse.ts';

export { BLOCK_PAGES, eachDifference, PAGE_SIZE, type Page, type PageImage, type RegionImage, ZERO_PAGE };

/** One range of bytes that is state but not plain. */
export type BulkRegion = FlatRegion | SparseRegion;

/** Bytes that lie together: guest memory, EPT pages, register blocks. */
export interface FlatRegion {
  readonly name: string;
  /** The bytes as they are now: a fresh view, since memory may have moved. 4-aligned, whole words. */
  bytes(): Uint8Array;
  /** Pages written since the last call, or since all was zero; undefined: any may have been. */
  takeDirty(): readonly number[] | undefined;
  /** Bytes of these pages were put back: what was derived from them must go, and from what else may have changed. */
  restored(pages: readonly number[]): void;
}

/** Follows a region's pages: their hashes, and copies of those that changed. */
interface Followed {
  readonly region: FlatRegion;
  /** Both hashes of each page: 2n and 2n+1. */
  hashes: Int32Array;
  sumA: number;
  sumB: number;
  /** Copies as of the last image. A block that was handed out is not changed any more. */
  copies: (readonly Page[])[];
  /** Pages whose hash or copy is older than their bytes. */
  readonly staleHashes: Set<number>;
  readonly staleCopies: Set<number>;
}

/** Digest and images of all bulk state, both at a cost of what changed since the last. */
export interface Pages {
  /**
   * For each region two sums modulo 2^32 over its pages that are not zero: of a page's XXH32 with its number as seed,
   * and with its number's complement. The digest is that of these sums, as little-endian words.
   */
  digest(): string;
  image(): PageImage;
  restore(image: PageImage): void;
}

const pageCount = (bytes: Uint8Array): number => Math.ceil(bytes.length / PAGE_SIZE);

const pageOf = (bytes: Uint8Array, page: number): Uint8Array =>
  bytes.subarray(page * PAGE_SIZE, Math.min(bytes.length, (page + 1) * PAGE_SIZE));

/** Follow these regions. What it keeps is derived from their bytes: none of it is state. */
export function followPages(regions: readonly BulkRegion[]): Pages {
  const followed = regions.map((region) => ('bytes' in region ? followFlat(region) : new FollowedSparse(region)));
  return {
    digest() {
      const sums = Int32Array.from(followed.flatMap((each) => each.sums()));
      return digestOfBytes(new Uint8Array(sums.buffer));
    },
    image: () => followed.map((each) => each.image()),
    restore(image) {
      for (const [index, each] of followed.entries()) each.restore(image[index]!);
    },
  };
}

/** How a region is followed. */
type Follower = Pick<FollowedSparse, 'sums' | 'image' | 'restore'>;

function followFlat(region: FlatRegion): Follower {
  const followed = follow(region);
  return {
    sums() {
      refreshHashes(followed);
      return [followed.sumA, followed.sumB];
    },
    image: () => imageOf(followed),
    restore: (image) => putBack(followed, image),
  };
}

/** A region begins zero; what was written since is told as dirty, or all of it is looked at. */
function follow(region: FlatRegion): Followed {
  const dirty = dirtyPages(region);
  return {
    region,
    hashes: new Int32Array(pageCount(region.bytes()) * 2),
    sumA: 0,
    sumB: 0,
    copies: zeroBlocks(region.bytes()),
    staleHashes: new Set(dirty),
    staleCopies: new Set(dirty),
  };
}

function zeroBlocks(bytes: Uint8Array): (readonly Page[])[] {
  const count = pageCount(bytes);
  const shared = new Array<Page>(BLOCK_PAGES).fill(ZERO_PAGE);
  const blocks: (readonly Page[])[] = [];
  for (let first = 0; first < count; first += BLOCK_PAGES) {
    blocks.push(first + BLOCK_PAGES <= count ? shared : shared.slice(0, count - first));
  }
  return blocks;
}

function dirtyPages(region: FlatRegion): readonly number[] {
  return region.takeDirty() ?? Array.from({ length: pageCount(region.bytes()) }, (_, page) => page);
}

/** Hear of new writes. */
function refresh(each: Followed): void {
  const count = pageCount(each.region.bytes());
  for (const page of dirtyPages(each.region)) {
    each.staleHashes.add(page);
    each.staleCopies.add(page);
  }
  if (each.hashes.length >= count * 2) return;
  const grown = new Int32Array(count * 2);
  grown.set(each.hashes);
  each.hashes = grown;
}

function refreshHashes(each: Followed): void {
  refresh(each);
  const bytes = each.region.bytes();
  const { hashes } = each;
  for (const page of each.staleHashes) {
    const content = pageOf(bytes, page);
    const isEmpty = isZero(content);
    const a = isEmpty ? 0 : xxh32(content, page);
    const b = isEmpty ? 0 : xxh32(content, ~page);
    each.sumA = (each.sumA - hashes[page * 2]! + a) | 0;
    each.sumB = (each.sumB - hashes[page * 2 + 1]! + b) | 0;
    hashes[page * 2] = a;
    hashes[page * 2 + 1] = b;
  }
  each.staleHashes.clear();
}

/** Untouched memory is zero and weighs nothing in the sum. */
function isZero(bytes: Uint8Array): boolean {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  for (let i = 0; i < words.length; i += 1) if (words[i] !== 0) return false;
  return true;
}

function imageOf(each: Followed): RegionImage {
  refresh(each);
  const bytes = each.region.bytes();
  const { copies } = each;
  const opened = new Map<number, Page[]>();
  for (const page of each.staleCopies) {
    const content = pageOf(bytes, page);
    const block = Math.floor(page / BLOCK_PAGES);
    const old = (opened.get(block) ?? copies[block])?.[page % BLOCK_PAGES];
    // A region without a dirty list is compared, so that its checkpoints share pages too.
    if (isEqual(old, content)) continue;
    let fresh = opened.get(block);
    if (fresh === undefined) {
      fresh = (copies[block] ?? []).slice();
      opened.set(block, fresh);
    }
    fresh[page % BLOCK_PAGES] = content.length === PAGE_SIZE && isZero(content) ? ZERO_PAGE : new Uint8Array(content);
  }
  for (const [block, fresh] of opened) copies[block] = fresh;
  each.staleCopies.clear();
  return copies.slice();
}

function isEqual(copy: Page | undefined, content: Uint8Array): boolean {
  if (copy === undefined || copy.length !== content.length) return false;
  const left = new Int32Array(copy.buffer, copy.byteOffset, copy.length >>> 2);
  const right = new Int32Array(content.buffer, content.byteOffset, content.length >>> 2);
  for (let i = 0; i < left.length; i += 1) if (left[i] !== right[i]) return false;
  return true;
}

/** Write back the pages that differ from the bytes of now. */
function putBack(each: Followed, image: RegionImage): void {
  refresh(each);
  const { region, copies, staleCopies, staleHashes } = each;
  const bytes = region.bytes();
  const put: number[] = [];
  const write = (page: number, wanted: Page): void => {
    bytes.set(wanted, page * PAGE_SIZE);
    put.push(page);
    staleHashes.add(page);
  };
  for (const page of staleCopies) {
    const wanted = image[Math.floor(page / BLOCK_PAGES)]?.[page % BLOCK_PAGES];
    if (wanted !== undefined && !isEqual(wanted, pageOf(bytes, page))) write(page, wanted);
  }
  eachDifference(image, copies, (page, wanted) => {
    if (!staleCopies.has(page)) write(page, wanted);
  });
  each.copies = image.slice();
  staleCopies.clear();
  region.takeDirty();
  region.restored(put);
}
