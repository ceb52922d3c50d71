import { closeSync, fstatSync, type Stats } from 'node:fs';
import { Problem, shortly } from '../base/problem.ts';
import { BLOCK, type ImageFile } from '../block/image-file.ts';
import { opened, readAt, worldProblem } from './files.ts';

/** Blocks of an image that are kept: what is read in a row, and what is read again soon. */
const BLOCKS_KEPT = 64;

const PURPOSE = 'read the disk image';

/**
 * A disk's image, of which nothing is read but the blocks that are asked for. Somebody who changes it meanwhile is
 * found out: a machine would read what never lay there at once.
 */
export function openDiskFile(path: string): ImageFile {
  const first = look(path, (_file, stat) => stat);
  const kept = new Map<number, Uint8Array>();
  return {
    name: path,
    size: first.size,
    block(number) {
      const bytes = kept.get(number) ?? readBlock(path, number, first);
      // The first to go is the one asked for longest ago.
      kept.delete(number);
      kept.set(number, bytes);
      if (kept.size > BLOCKS_KEPT) kept.delete(kept.keys().next().value as number);
      return bytes;
    },
  };
}

function readBlock(path: string, number: number, first: Stats): Uint8Array {
  return look(path, (file, stat) => {
    const isSame = stat.ino === first.ino && stat.size === first.size && stat.mtimeMs === first.mtimeMs;
    if (isSame) return readAt(file, number * BLOCK, BLOCK);
    throw new Problem(`${shortly(path)} was changed while a machine had it: nothing more can be read of it.`);
  });
}

/** Open a file, if it is one that can be read here and there, and close it. */
function look<T>(path: string, see: (file: number, stat: Stats) => T): T {
  const file = opened(path, 'r', PURPOSE);
  try {
    const stat = fstatSync(file);
    if (stat.isFile()) return see(file, stat);
    const what = stat.isDirectory() ? 'a folder' : 'no regular file';
    throw new Problem(`Cannot ${PURPOSE} ${shortly(path)}: it is ${what}.`);
  } catch (error) {
    throw error instanceof Problem ? error : worldProblem(PURPOSE, path, error);
  } finally {
    closeSync(file);
  }
}
