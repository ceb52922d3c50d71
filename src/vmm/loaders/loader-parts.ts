import { isBzImage, parseBzImage } from './bzimage.ts';
import { isElf, programHeaderTable } from './elf.ts';
import { notesOf } from './elf-notes.ts';
import type { NamedImage } from '../options.ts';

/** Some bytes of an image and where they stand in it. */
export interface ImagePart {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * The bytes of a kernel that decide how it is loaded: where a multiboot header may be, a bzImage's setup, an ELF
 * file's program headers and notes. With them and its size every loader does the same as with the whole file.
 */
export function loaderParts(kernel: NamedImage): readonly ImagePart[] {
  const { bytes } = kernel;
  const part = (at: number, end: number): ImagePart => ({ at, bytes: bytes.subarray(at, Math.min(end, bytes.length)) });
  const setup = isBzImage(bytes) ? parseBzImage(kernel).setup.length : 0;
  const parts = [part(0, Math.max(MULTIBOOT_SEARCH, setup))];
  if (isElf(bytes)) {
    const { start, end } = programHeaderTable(bytes);
    if (start < bytes.length && end > MULTIBOOT_SEARCH) parts.push(part(start, end));
    parts.push(...notesOf(bytes));
  }
  return parts;
}

/** Multiboot specification 0.6.96, 3.1: the header lies in the first 8192 bytes. */
const MULTIBOOT_SEARCH = 8192;
