import { xxh32 } from '../base/xxh32.ts';
import { invariant } from '../base/invariant.ts';
import {
  BASE_BLOCK,
  BASE_PAGE,
  BLOCK_PAGES,
  eachDifference,
  PAGE_SIZE,
  type Page,
  type RegionImage,
  ZERO_PAGE,
} from './images.ts';

/** Pages over a base that never changes, of which few are other than the base has them: a disk. */
export interface SparseRegion {
  readonly name: string;
  /** It may grow. */
  readonly pageCount: number;
  /** What a page holds now; undefined: what the base has there. What was told as dirty is not changed any more. */
  page(page: number): Page | undefined;
  /** Pages that came to hold something else since the last call, or since all was the base's. */
  takeDirty(): readonly number[];
  /** A page is what it was at another moment. */
  put(page: number, content: Page | undefined): void;
}

/** What lies below: the bytes of an image file, say. They are not state, and are known by the image's digest. */
export interface Base {
  /** Fill `into` with the bytes from `at` on. */
  read(at: number, into: Uint8Array): void;
}

/**
 * Bytes over a base, changed by whole pages: costs what was changed, whatever the size. What a last page has beyond
 * the size is zero.
 */
export class SparseBytes implements SparseRegion {
  readonly name: string;
  private readonly base: Base;
  private mostPages: number;
  private length: number;
  private shown: number;
  private readonly own = new Map<number, Page>();
  private readonly dirty = new Set<number>();
  /** Pages nobody else has: they may be changed where they are. */
  private readonly unshared = new Set<number>();

  constructor(name: string, size: number, base: Base) {
    this.name = name;
    this.length = size;
    this.shown = size;
    this.mostPages = Math.ceil(size / PAGE_SIZE);
    this.base = base;
  }

  /** Bytes. */
  get size(): number {
    return this.length;
  }

  /** How many bytes of the base show where nothing was written: beyond them there are zeroes. */
  get shownOfBase(): number {
    return this.shown;
  }

  /** As many as it has ever had. */
  get pageCount(): number {
    return this.mostPages;
  }

  /** Another size from now on: what is cut off is gone for good, what is added is zero. */
  resize(size: number): void {
    this.shown = Math.min(this.shown, size);
    for (const page of [...this.own.keys()]) {
      const kept = size - page * PAGE_SIZE;
      if (kept <= 0) {
        this.own.delete(page);
        this.dirty.add(page);
      } else if (kept < PAGE_SIZE) this.open(page, PAGE_SIZE - kept).fill(0, kept);
    }
    this.reshape(size, this.shown);
  }

  /** The size it had at another moment, and how much of the base showed: its pages are put back besides. */
  reshape(size: number, shown: number): void {
    this.length = size;
    this.shown = shown;
    this.mostPages = Math.max(this.mostPages, Math.ceil(size / PAGE_SIZE));
  }

  /** Fill `into` with the bytes from `at` on. */
  read(at: number, into: Uint8Array): void {
    this.eachPage(at, into.length, (page, offset, from, length) => {
      const part = into.subarray(from, from + length);
      const own = this.own.get(page);
      if (own === undefined) this.readBase(page * PAGE_SIZE + offset, part);
      else part.set(own.subarray(offset, offset + length));
    });
  }

  write(at: number, bytes: Uint8Array): void {
    this.eachPage(at, bytes.length, (page, offset, from, length) => {
      this.open(page, length).set(bytes.subarray(from, from + length), offset);
    });
  }

  /** Zeroes, whatever the base has. */
  clear(at: number, length: number): void {
    this.eachPage(at, length, (page, offset, _from, some) => {
      if (some === PAGE_SIZE) this.change(page, ZERO_PAGE);
      else this.open(page, some).fill(0, offset, offset + some);
    });
  }

  page(page: number): Page | undefined {
    return this.own.get(page);
  }

  /** What is other than the base may have it, in order. */
  *changes(): Generator<{ readonly at: number; readonly bytes: Page }> {
    for (const page of [...this.own.keys()].sort((a, b) => a - b)) {
      const at = page * PAGE_SIZE;
      yield { at, bytes: this.own.get(page)!.subarray(0, this.size - at) };
    }
  }

  /** The pages it has other than the base may have them, in no order. */
  changedPages(): Iterable<number> {
    return this.own.keys();
  }

  /** What it holds now, for whoever keeps it: neither changes the other. Pages are shared. */
  copy(): SparseBytes {
    const copy = new SparseBytes(this.name, this.size, this.base);
    copy.reshape(this.size, this.shown);
    for (const [page, content] of this.own) copy.own.set(page, content);
    this.unshared.clear();
    return copy;
  }

  takeDirty(): readonly number[] {
    const dirty = [...this.dirty];
    this.dirty.clear();
    this.unshared.clear();
    return dirty;
  }

  put(page: number, content: Page | undefined): void {
    if (content === undefined) this.own.delete(page);
    else this.own.set(page, content);
    this.dirty.delete(page);
    this.unshared.delete(page);
  }

  /** A page of which `length` bytes are to be changed: its own already, or a copy. */
  private open(page: number, length: number): Page {
    const own = this.own.get(page);
    if (own !== undefined && own !== ZERO_PAGE && this.unshared.has(page)) return own;
    const fresh = new Uint8Array(PAGE_SIZE);
    if (own !== undefined) fresh.set(own);
    else if (length < PAGE_SIZE) this.readBase(page * PAGE_SIZE, fresh.subarray(0, this.size - page * PAGE_SIZE));
    return this.change(page, fresh);
  }

  /** What shows of the base. */
  private readBase(at: number, into: Uint8Array): void {
    const length = Math.max(0, Math.min(into.length, this.shown - at));
    if (length > 0) this.base.read(at, into.subarray(0, length));
    into.fill(0, length);
  }

  private change(page: number, content: Page): Page {
    this.own.set(page, content);
    this.dirty.add(page);
    this.unshared.add(page);
    return content;
  }

  private eachPage(
    at: number,
    length: number,
    visit: (page: number, offset: number, from: number, length: number) => void,
  ): void {
    const end = at + length;
    invariant(at >= 0 && length >= 0 && end <= this.size, 'bytes lie within their region', { at, length });
    for (let here = at; here < end; ) {
      const offset = here % PAGE_SIZE;
      const part = Math.min(end - here, PAGE_SIZE - offset);
      visit(Math.floor(here / PAGE_SIZE), offset, here - at, part);
      here += part;
    }
  }
}

/** A page's two hashes, or sums of such. */
interface Hashes {
  a: number;
  b: number;
}

/** Follows a sparse region at a cost of what changed. */
export class FollowedSparse {
  private readonly region: SparseRegion;
  /** Of pages that are not the base's. */
  private readonly hashes = new Map<number, Hashes>();
  private readonly sum: Hashes = { a: 0, b: 0 };
  private last: RegionImage;
  private readonly staleHashes = new Set<number>();
  private readonly staleCopies = new Set<number>();

  constructor(region: SparseRegion) {
    this.region = region;
    this.last = blocksOfBase(region.pageCount);
  }

  /** A region that has grown has more blocks. */
  private grow(): void {
    const wanted = blocksOfBase(this.region.pageCount);
    if (wanted.length > this.last.length) this.last = [...this.last, ...wanted.slice(this.last.length)];
  }

  /** Both sums of the pages that are not the base's: see `Pages.digest`. */
  sums(): readonly [number, number] {
    this.refresh();
    for (const page of this.staleHashes) this.rehash(page);
    this.staleHashes.clear();
    return [this.sum.a, this.sum.b];
  }

  image(): RegionImage {
    this.refresh();
    const opened = new Map<number, Page[]>();
    for (const page of this.staleCopies) {
      const content = this.region.page(page) ?? BASE_PAGE;
      const block = Math.floor(page / BLOCK_PAGES);
      const have = opened.get(block) ?? this.last[block]!;
      if (have[page % BLOCK_PAGES] === content) continue;
      const fresh = opened.get(block) ?? have.slice();
      fresh[page % BLOCK_PAGES] = content;
      opened.set(block, fresh);
    }
    this.staleCopies.clear();
    if (opened.size > 0) this.last = this.last.map((block, at) => opened.get(at) ?? block);
    return this.last;
  }

  restore(image: RegionImage): void {
    this.refresh();
    const put = (page: number, wanted: Page): void => {
      this.region.put(page, wanted === BASE_PAGE ? undefined : wanted);
      this.staleHashes.add(page);
    };
    for (const page of this.staleCopies) {
      put(page, image[Math.floor(page / BLOCK_PAGES)]?.[page % BLOCK_PAGES] ?? BASE_PAGE);
    }
    // It may have been smaller.
    const whole = [...image, ...blocksOfBase(this.last.length * BLOCK_PAGES).slice(image.length)];
    eachDifference(whole, this.last, (page, wanted) => {
      if (!this.staleCopies.has(page)) put(page, wanted);
    });
    this.staleCopies.clear();
    this.last = image;
  }

  private refresh(): void {
    this.grow();
    for (const page of this.region.takeDirty()) {
      this.staleHashes.add(page);
      this.staleCopies.add(page);
    }
  }

  private rehash(page: number): void {
    const { hashes, sum } = this;
    const before = hashes.get(page);
    if (before !== undefined) {
      sum.a = (sum.a - before.a) | 0;
      sum.b = (sum.b - before.b) | 0;
      hashes.delete(page);
    }
    const content = this.region.page(page);
    if (content === undefined) return;
    const hash = { a: xxh32(content, page), b: xxh32(content, ~page) };
    hashes.set(page, hash);
    sum.a = (sum.a + hash.a) | 0;
    sum.b = (sum.b + hash.b) | 0;
  }
}

/** The same block again and again, the last one whole like the others. */
const blocksOfBase = (pageCount: number): RegionImage =>
  new Array<readonly Page[]>(Math.ceil(pageCount / BLOCK_PAGES)).fill(BASE_BLOCK);
