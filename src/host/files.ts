import { openSync, readFileSync } from 'node:fs';
import { Problem } from '../base/problem.ts';

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
  return new Problem(`Cannot ${purpose} ${path}: ${REASONS[code] ?? (error as Error).message}.`);
}

/** A whole file's bytes; `purpose` starts as in "read the kernel". */
export function readImage(purpose: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw worldProblem(purpose, path, error);
  }
}

/** Open a file; `named` is what a sentence calls it. */
export function opened(path: string, flags: 'r' | 'w', purpose: string, named = path): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw worldProblem(purpose, named, error);
  }
}
