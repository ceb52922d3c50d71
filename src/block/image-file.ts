/** Bytes of a block: what is read of an image at once, and what it is known by. */
export const BLOCK = 2 ** 16;

/** An image as it lies in a file. Nobody changes it while a machine has it. */
export interface ImageFile {
  /** What a sentence calls it: its path. */
  readonly name: string;
  readonly size: number;
  /** Bytes of block `number`: the last one is shorter where the file ends. Not to be changed. */
  block(number: number): Uint8Array;
}
