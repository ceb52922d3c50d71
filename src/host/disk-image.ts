/** What a drive held, as an image file: raw, with a hole wherever it holds zeroes. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Problem, shortly } from '../base/problem.ts';
import type { Work } from '../base/work.ts';
import { PAGE_SIZE } from '../memory/images.ts';
import type { SparseBytes } from '../memory/sparse.ts';
import { pagesApart } from '../replay/disk/difference.ts';
import { worldProblem } from './files.ts';
import { locked } from './lock.ts';

const PURPOSE = 'write the disk image';
/** Bytes looked at together. */
const CHUNK = 1 << 18;
const ZEROES = new Uint8Array(PAGE_SIZE);

/**
 * Write an image under a name that it has once all of it is written; who leaves on the way leaves nothing. `kept`:
 * files that must not be overwritten, as the run is made from them.
 */
export function* writeDiskImage(path: string, content: SparseBytes, kept: readonly string[]): Work<void> {
  const real = placeForImage(path, kept);
  const partial = `${real}.part`;
  const release = locked(real);
  let isWhole = false;
  try {
    const file = openSync(partial, 'w');
    try {
      yield* fill(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(partial, real);
    isWhole = true;
  } catch (error) {
    throw error instanceof Problem ? error : worldProblem(PURPOSE, path, error);
  } finally {
    if (!isWhole) rmSync(partial, { force: true });
    release();
  }
}

/** Where an image is going to lie. Throws a Problem where none may lie. */
export const placeForImage = (path: string, kept: readonly string[]): string => placeFor(PURPOSE, path, kept);

/**
 * Where a file is going to lie. One that is there is replaced, what is none stays. Throws a Problem where none may lie:
 * who asks before much work has not done it for nothing. `kept`: files the recorded run needs.
 */
export function placeFor(purpose: string, path: string, kept: readonly string[]): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) {
    const folder = dirname(path);
    if (!existsSync(folder))
      throw new Problem(`Cannot ${purpose} ${shortly(path)}: there is no folder ${shortly(folder)}.`);
    return join(realpathSync(folder), basename(path));
  }
  if (!stat.isFile()) {
    const what = stat.isDirectory() ? 'a folder' : 'no regular file';
    throw new Problem(`Cannot ${purpose} ${shortly(path)}: it is ${what}, and stays what it is.`);
  }
  for (const other of kept) {
    const needed = statSync(other, { bigint: true, throwIfNoEntry: false });
    if (needed?.ino !== stat.ino || needed.dev !== stat.dev) continue;
    throw new Problem(`Cannot ${purpose} ${shortly(path)}: the recorded run needs it as it is. Choose another name.`);
  }
  return realpathSync(path);
}

function* fill(file: number, content: SparseBytes): Work<void> {
  const buffer = new Uint8Array(CHUNK);
  for (let at = 0; at < content.size; at += CHUNK) {
    const bytes = buffer.subarray(0, Math.min(CHUNK, content.size - at));
    content.read(at, bytes);
    writeData(file, at, bytes);
    yield at / content.size;
  }
  ftruncateSync(file, content.size);
}

/** Write what is no hole. */
function writeData(file: number, at: number, bytes: Uint8Array): void {
  for (let from = 0; from < bytes.length; ) {
    let to = from;
    while (to < bytes.length && !isZero(bytes.subarray(to, to + PAGE_SIZE))) to += PAGE_SIZE;
    writeAll(file, bytes.subarray(from, Math.min(to, bytes.length)), at + from);
    from = to + PAGE_SIZE;
  }
}

const isZero = (page: Uint8Array): boolean => Buffer.compare(page, ZEROES.subarray(0, page.length)) === 0;

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}

/** An image file that shows one content of a drive after another. What changed between them is written alone. */
export class ShownImage {
  readonly path: string;
  private shown: SparseBytes | undefined;
  /** As it was left: somebody who was shown it may have changed it. */
  private left: string | undefined;

  constructor(path: string) {
    this.path = path;
  }

  show(content: SparseBytes): void {
    try {
      this.write(content);
    } catch (error) {
      throw worldProblem(PURPOSE, this.path, error);
    }
  }

  private write(content: SparseBytes): void {
    const { shown } = this;
    const isAsLeft = shown !== undefined && existsSync(this.path) && this.look() === this.left;
    const file = openSync(this.path, isAsLeft ? 'r+' : 'w');
    try {
      if (isAsLeft) {
        for (const page of pagesApart(shown, content)) writePage(file, content, page);
        ftruncateSync(file, content.size);
      } else for (const _ of fill(file, content));
    } finally {
      closeSync(file);
    }
    this.shown = content;
    this.left = this.look();
  }

  private look(): string {
    const { ino, size, mtimeNs, ctimeNs } = statSync(this.path, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  }
}

function writePage(file: number, content: SparseBytes, page: number): void {
  const at = page * PAGE_SIZE;
  const bytes = new Uint8Array(Math.max(0, Math.min(PAGE_SIZE, content.size - at)));
  content.read(at, bytes);
  writeAll(file, bytes, at);
}
