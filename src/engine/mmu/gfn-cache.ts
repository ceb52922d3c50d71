import type { Gfn } from '../../base/units.ts';

const CHUNK_BITS = 10;
const CHUNK = 1 << CHUNK_BITS;
/** Guest-physical pages that are kept: the first 16 GiB. */
const PAGES = 1 << 22;
const NOTHING = new Int32Array(CHUNK);

/**
 * Where walks through one root of extended page tables ended: a word by guest-physical page, 0 where nothing is known.
 * In chunks, so that forgetting costs what was found and not what there could be.
 */
export class GfnCache {
  private readonly chunks: Int32Array[] = new Array<Int32Array>(PAGES / CHUNK).fill(NOTHING);
  private readonly used: Int32Array[] = [];

  get(gfn: Gfn): number {
    return gfn < PAGES ? ((this.chunks[gfn >>> CHUNK_BITS] as Int32Array)[gfn & (CHUNK - 1)] as number) : 0;
  }

  set(gfn: Gfn, word: number): void {
    if (gfn >= PAGES) return;
    const at = gfn >>> CHUNK_BITS;
    let chunk = this.chunks[at] as Int32Array;
    if (chunk === NOTHING) {
      chunk = new Int32Array(CHUNK);
      this.chunks[at] = chunk;
      this.used.push(chunk);
    }
    chunk[gfn & (CHUNK - 1)] = word;
  }

  forget(): void {
    for (const chunk of this.used) chunk.fill(0);
  }
}

/** Roots that are remembered. */
const ROOTS = 8;

/** One cache for each of the roots last used. */
export class GfnCaches {
  /** By root, the one used longest ago first. */
  private readonly byRoot = new Map<number, GfnCache>();

  /** The cache of a root, which is the one last used from now on. */
  of(root: number): GfnCache {
    const known = this.byRoot.get(root) ?? this.another();
    this.byRoot.delete(root);
    this.byRoot.set(root, known);
    return known;
  }

  /** A new one, or the one used longest ago, emptied. */
  private another(): GfnCache {
    const [oldest] = this.byRoot;
    if (this.byRoot.size < ROOTS || oldest === undefined) return new GfnCache();
    const [root, cache] = oldest;
    this.byRoot.delete(root);
    cache.forget();
    return cache;
  }

  forget(): void {
    for (const cache of this.byRoot.values()) cache.forget();
  }
}
