import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { Problem, shortly } from '../base/problem.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission is denied',
  EIO: 'the device failed',
  EFBIG: 'it would be larger than files may be here',
  EDQUOT: 'the quota is used up',
  EISDIR: 'it is a folder',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'part of the path is not a folder',
};

/** What the operating system said, as one sentence: what could not be done, where and why. */
export function worldProblem(purpose: string, path: string, error: unknown): Problem {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return new Problem(`Cannot ${purpose} ${shortly(path)}: ${REASONS[code] ?? (error as Error).message}.`);
}

/** No image is larger than what a machine addresses below 4 GiB. */
const MOST_BYTES = 2 ** 32;

/**
 * A whole file's bytes; `purpose` starts as in "read the kernel". Devices, pipes and sockets are no images: nobody
 * waits for what they say. Of a file that is not of the size wanted nothing is read.
 */
export function readImage(purpose: string, path: string, wanted?: number): Uint8Array {
  const file = opened(path, 'r', purpose);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) {
      throw new Problem(
        `Cannot ${purpose} ${shortly(path)}: it is ${stat.isDirectory() ? 'a folder' : 'no regular file'}.`,
      );
    }
    if (stat.size > MOST_BYTES) throw new Problem(`Cannot ${purpose} ${shortly(path)}: it is larger than 4 GiB.`);
    return wanted !== undefined && stat.size !== wanted ? NOTHING : readAt(file, 0, stat.size);
  } catch (error) {
    throw error instanceof Problem ? error : worldProblem(purpose, path, error);
  } finally {
    closeSync(file);
  }
}

const NOTHING = new Uint8Array(0);

/** Opening a pipe to read waits for who writes to it, unless it is said not to. */
const FLAGS = { r: constants.O_RDONLY | constants.O_NONBLOCK, w: 'w' } as const;

/** Open a file; `named` is what a sentence calls it. */
export function opened(path: string, flags: 'r' | 'w', purpose: string, named = path): number {
  try {
    return openSync(path, FLAGS[flags]);
  } catch (error) {
    throw worldProblem(purpose, named, error);
  }
}

/** Bytes of a file from a place on: fewer where it ends before. */
export function readAt(file: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const got = readSync(file, bytes, at, Math.min(length - at, MOST_AT_ONCE), offset + at);
    if (got === 0) break;
    at += got;
  }
  return bytes.subarray(0, at);
}

const MOST_AT_ONCE = 2 ** 30;
