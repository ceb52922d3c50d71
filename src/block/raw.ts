/** Raw images: the disk's bytes as they are. QEMU's block/raw-format.c. */
import { SECTOR } from '../base/units.ts';
import { Problem, shortly } from '../base/problem.ts';
import type { BlockFormat } from './format.ts';
import { BLOCK, type ImageFile } from './image-file.ts';

/** What a last sector has beyond the end of the file reads as zeroes. */
export const raw: BlockFormat = {
  open(file) {
    if (file.size === 0) throw new Problem(`Cannot use ${shortly(file.name)} as a disk: it is empty.`);
    const sectors = Math.ceil(file.size / SECTOR);
    const base = { read: (at: number, into: Uint8Array) => readBlocks(file, at, into) };
    if (file.size % SECTOR === 0) return { sectors, base };
    const seen = `the guest sees ${sectors} sectors of 512, zeroes at the end of the last`;
    const warning = `${file.name} has ${file.size} bytes: ${seen}.`;
    return { sectors, base, warning };
  },
};

function readBlocks(file: ImageFile, at: number, into: Uint8Array): void {
  for (let done = 0; done < into.length; ) {
    const offset = (at + done) % BLOCK;
    const part = into.subarray(done, done + Math.min(into.length - done, BLOCK - offset));
    const has = at + done < file.size ? file.block(Math.floor((at + done) / BLOCK)).subarray(offset) : NOTHING;
    const length = Math.min(has.length, part.length);
    part.set(has.subarray(0, length));
    part.fill(0, length);
    done += part.length;
  }
}

const NOTHING = new Uint8Array(0);
