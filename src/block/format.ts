import type { Base } from '../memory/sparse.ts';
import type { ImageFile } from './image-file.ts';

/** A format of images. */
export interface BlockFormat {
  /** Throws a Problem for a file that is none. */
  open(file: ImageFile): OpenedImage;
}

/** A disk as a guest sees it. */
export interface OpenedImage {
  /** Of 512 bytes. */
  readonly sectors: number;
  readonly base: Base;
  /** What a person should know, as a sentence. */
  readonly warning?: string;
}
