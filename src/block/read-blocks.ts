import { Problem, shortly } from '../base/problem.ts';
import { BLOCK, type ImageFile } from './image-file.ts';

/** A block of an image file, known by its content. */
export interface BlockDigest {
  /** Which of the machine's image files, in their order. */
  readonly file: number;
  readonly block: number;
  readonly sha256: string;
}

/**
 * What a run has read of its image files: each block as it was the first time. An image of gigabytes is known by the
 * few blocks that matter to the run; whoever runs it again with another one is told at the first that differs.
 */
export class ReadBlocks {
  private readonly sha256: (bytes: Uint8Array) => string;
  private readonly found: BlockDigest[] = [];
  private readonly byPlace: Map<number, string>[] = [];

  /** `known`: blocks that an earlier run of the same images read. */
  constructor(sha256: (bytes: Uint8Array) => string, known: Iterable<BlockDigest> = []) {
    this.sha256 = sha256;
    for (const each of known) this.note(each);
  }

  /** In the order in which they were read first. It grows. */
  get list(): readonly BlockDigest[] {
    return this.found;
  }

  /** The first of the blocks known of an image file that another file does not have; undefined: it has them all. */
  firstDifference(file: number, image: ImageFile): number | undefined {
    for (const [block, sha256] of this.byPlace[file] ?? []) {
      if (block * BLOCK >= image.size || this.sha256(image.block(block)) !== sha256) return block;
    }
    return undefined;
  }

  /** An image file whose blocks are noted and compared as they are read. */
  watched(file: number, image: ImageFile): ImageFile {
    // The same bytes again are those that were looked at.
    const seen = new WeakSet<Uint8Array>();
    return {
      name: image.name,
      size: image.size,
      block: (number) => {
        const bytes = image.block(number);
        if (!seen.has(bytes)) {
          this.check(file, number, bytes, image.name);
          seen.add(bytes);
        }
        return bytes;
      },
    };
  }

  private check(file: number, block: number, bytes: Uint8Array, name: string): void {
    const sha256 = this.sha256(bytes);
    const before = this.digestOf(file, block);
    if (before === undefined) this.note({ file, block, sha256 });
    else if (before !== sha256)
      throw new Problem(`${shortly(name)} is another image than the run had: ${differsAt(block)}.`);
  }

  private digestOf(file: number, block: number): string | undefined {
    return this.byPlace[file]?.get(block);
  }

  private note(each: BlockDigest): void {
    const blocks = (this.byPlace[each.file] ??= new Map<number, string>());
    if (blocks.has(each.block)) return;
    blocks.set(each.block, each.sha256);
    this.found.push(each);
  }
}

/** Where an image is not what it was, as a clause. */
export const differsAt = (block: number): string => `its block at offset ${block * BLOCK} differs`;
