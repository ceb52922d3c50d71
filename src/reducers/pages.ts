import { emptyHash, mixBytes, mixWord } from './digest.ts';

/** Bytes of a page of bulk state. */
export const PAGE_SIZE = 4096;

/** One range of bytes that is state but not plain: guest memory, EPT pages, register blocks. */
export interface BulkRegion {
  readonly name: string;
  /** The bytes as they are now: a fresh view, since memory may have moved. 4-aligned, whole words. */
  bytes(): Uint8Array;
  /** Pages written since the last call; undefined: any may have been. */
  takeDirty(): readonly number[] | undefined;
  /** Bytes were put back: what was derived from them must go. */
  restored(): void;
}

/** A page that will never change. Checkpoints share it. */
export type Page = Uint8Array;

/** Pages of every region at one moment, by region and page number. */
export type PageImage = readonly (readonly Page[])[];

/** Follows a region's pages: their hashes, and copies of those that changed. */
interface Followed {
  readonly region: BulkRegion;
  /** Hash lanes by page: 2n and 2n+1. */
  hashes: Int32Array;
  sumA: number;
  sumB: number;
  /** Copies as of the last image. */
  copies: Page[];
  /** Pages whose hash or copy is older than their bytes. */
  readonly staleHashes: Set<number>;
  readonly staleCopies: Set<number>;
}

/** Digest and images of all bulk state, both at a cost of what changed since the last. */
export interface Pages {
  digest(): string;
  image(): PageImage;
  restore(image: PageImage): void;
}

const pageCount = (bytes: Uint8Array): number => Math.ceil(bytes.length / PAGE_SIZE);

const pageOf = (bytes: Uint8Array, page: number): Uint8Array =>
  bytes.subarray(page * PAGE_SIZE, Math.min(bytes.length, (page + 1) * PAGE_SIZE));

/** Follow these regions. What it keeps is derived from their bytes: none of it is state. */
export function followPages(regions: readonly BulkRegion[]): Pages {
  const followed = regions.map(follow);
  return {
    digest() {
      const hash = emptyHash();
      for (const each of followed) {
        refreshHashes(each);
        mixWord(hash, each.sumA);
        mixWord(hash, each.sumB);
      }
      const eight = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
      return eight(hash.a) + eight(hash.b);
    },
    image: () => followed.map(imageOf),
    restore(image) {
      for (const [index, each] of followed.entries()) putBack(each, image[index]);
    },
  };
}

function follow(region: BulkRegion): Followed {
  const count = pageCount(region.bytes());
  const all = Array.from({ length: count }, (_, page) => page);
  region.takeDirty();
  return {
    region,
    hashes: new Int32Array(count * 2),
    sumA: 0,
    sumB: 0,
    copies: new Array<Page>(count),
    staleHashes: new Set(all),
    staleCopies: new Set(all),
  };
}

/** Hear of new writes. */
function refresh(each: Followed): void {
  const count = pageCount(each.region.bytes());
  const dirty = each.region.takeDirty() ?? Array.from({ length: count }, (_, page) => page);
  for (const page of dirty) {
    each.staleHashes.add(page);
    each.staleCopies.add(page);
  }
  if (each.hashes.length < count * 2) {
    const grown = new Int32Array(count * 2);
    grown.set(each.hashes);
    each.hashes = grown;
  }
}

function refreshHashes(each: Followed): void {
  refresh(each);
  const bytes = each.region.bytes();
  const { hashes } = each;
  for (const page of each.staleHashes) {
    const hash = emptyHash();
    const content = pageOf(bytes, page);
    if (isZero(content)) {
      hash.a = 0;
      hash.b = 0;
    } else {
      mixWord(hash, page);
      mixBytes(hash, content);
    }
    each.sumA = (each.sumA - hashes[page * 2] + hash.a) | 0;
    each.sumB = (each.sumB - hashes[page * 2 + 1] + hash.b) | 0;
    hashes[page * 2] = hash.a;
    hashes[page * 2 + 1] = hash.b;
  }
  each.staleHashes.clear();
}

/** Untouched memory is zero and weighs nothing in the sum. */
function isZero(bytes: Uint8Array): boolean {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  for (let i = 0; i < words.length; i += 1) if (words[i] !== 0) return false;
  return true;
}

const ZERO_PAGE: Page = new Uint8Array(PAGE_SIZE);

function imageOf(each: Followed): readonly Page[] {
  refresh(each);
  const bytes = each.region.bytes();
  for (const page of each.staleCopies) {
    const content = pageOf(bytes, page);
    const isWholeZero = content.length === PAGE_SIZE && isZero(content);
    // A region without a dirty list is compared, so that its checkpoints share pages too.
    if (isWholeZero) each.copies[page] = ZERO_PAGE;
    else if (!isEqual(each.copies[page], content)) each.copies[page] = new Uint8Array(content);
  }
  each.staleCopies.clear();
  return each.copies.slice();
}

function isEqual(copy: Page | undefined, content: Uint8Array): boolean {
  if (copy === undefined || copy.length !== content.length) return false;
  const left = new Int32Array(copy.buffer, copy.byteOffset, copy.length >>> 2);
  const right = new Int32Array(content.buffer, content.byteOffset, content.length >>> 2);
  for (let i = 0; i < left.length; i += 1) if (left[i] !== right[i]) return false;
  return true;
}

/** Write back the pages that differ from the bytes of now. */
function putBack(each: Followed, image: readonly Page[]): void {
  refresh(each);
  const bytes = each.region.bytes();
  for (let page = 0; page < image.length; page += 1) {
    const wanted = image[page];
    if (each.copies[page] === wanted && !each.staleCopies.has(page)) continue;
    bytes.set(wanted, page * PAGE_SIZE);
    each.copies[page] = wanted;
    each.staleHashes.add(page);
  }
  each.staleCopies.clear();
  each.region.takeDirty();
  each.region.restored();
}
