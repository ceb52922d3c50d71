/**
 * Writing into a disk's image so that all is written or nothing: what will be overwritten lies in a file beside the
 * image first. It is put back should anything fail, or by whoever opens the image next should this process be killed.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  realpathSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Problem } from '../base/problem.ts';
import { crc32 } from '../base/crc32.ts';
import type { ImageChanges, Resized } from '../runs/world.ts';
import { readAt, worldProblem } from './files.ts';
import { locked } from './lock.ts';

/** Name of what lies beside an image, wherever that really is. */
const rollbackName = (image: string): string => `${image}.rollback`;

/** Magic, length of the image, length of this file. The magic is written once all else is. */
const HEADER = 24;
const MAGIC = 0x4b434142_4c4c4f52n;
/** Place, length and checksum of what follows. */
const ENTRY = 16;

/** Write changes into an image. Throws a Problem where that cannot be done: the image is as it was then. */
export function commitInto(path: string, changes: ImageChanges, resized?: Resized): void {
  attempt(path, (real) => {
    const all = [...changes];
    const image = openSync(real, 'r+');
    try {
      keepOverwritten(rollbackName(real), image, [...all, ...cutOff(image, resized?.kept)]);
      try {
        if (resized !== undefined) {
          // What was cut off and came back is a hole.
          ftruncateSync(image, Math.min(resized.kept, fstatSync(image).size));
          ftruncateSync(image, resized.size);
        }
        for (const { at, bytes } of all) writeAt(image, bytes, at);
        fsyncSync(image);
      } catch (error) {
        undo(image, real, error);
        throw error;
      }
      rmSync(rollbackName(real));
    } finally {
      closeSync(image);
    }
  });
}

const PIECE = 2 ** 20;

/** What an image loses beyond so many bytes, as pieces of what it has there. Holes come back by its length. */
function* cutOff(
  image: number,
  kept: number | undefined,
): Generator<{ readonly at: number; readonly bytes: Uint8Array }> {
  const end = fstatSync(image).size;
  for (let at = kept ?? end; at < end; at += PIECE) {
    const bytes = readAt(image, at, Math.min(PIECE, end - at));
    if (bytes.some((byte) => byte !== 0)) yield { at, bytes };
  }
}

function undo(image: number, real: string, why: unknown): void {
  const name = rollbackName(real);
  try {
    putBack(image, name);
  } catch {
    const { message } = worldProblem('write back into', real, why);
    throw new Problem(`${message} Nor can it be made what it was: that lies in ${name} for whoever opens it next.`);
  }
}

/** An image whose writer was killed becomes what it was before. */
export function rolledBack(path: string): void {
  if (!existsSync(path) || !existsSync(rollbackName(realpathSync(path)))) return;
  attempt(path, (real) => {
    const image = openSync(real, 'r+');
    try {
      putBack(image, rollbackName(real));
    } finally {
      closeSync(image);
    }
  });
}

/** Nobody else writes to an image meanwhile. */
function attempt(path: string, act: (real: string) => void): void {
  let release: (() => void) | undefined;
  try {
    const real = realpathSync(path);
    release = locked(real);
    act(real);
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(`${worldProblem('write back into', path, error).message} It is as it was.`);
  } finally {
    release?.();
  }
}

function keepOverwritten(name: string, image: number, changes: readonly { at: number; bytes: Uint8Array }[]): void {
  const file = openSync(name, 'wx');
  try {
    let end = HEADER;
    for (const { at, bytes } of changes) end += writeAt(file, entryOf(at, readAt(image, at, bytes.length)), end);
    const header = new DataView(new ArrayBuffer(HEADER));
    header.setFloat64(8, fstatSync(image).size, true);
    header.setFloat64(16, end, true);
    writeAt(file, new Uint8Array(header.buffer), 0);
    fsyncSync(file);
    header.setBigUint64(0, MAGIC, true);
    writeAt(file, new Uint8Array(header.buffer), 0);
    fsyncSync(file);
    syncFolder(name);
  } catch (error) {
    rmSync(name);
    throw error;
  } finally {
    closeSync(file);
  }
}

function entryOf(at: number, before: Uint8Array): Uint8Array {
  const entry = new Uint8Array(ENTRY + before.length);
  const view = new DataView(entry.buffer);
  view.setFloat64(0, at, true);
  view.setUint32(8, before.length, true);
  view.setUint32(12, crc32(before), true);
  entry.set(before, ENTRY);
  return entry;
}

/** What lies in a file that was not finished was not overwritten. */
function putBack(image: number, name: string): void {
  const file = openSync(name, 'r');
  try {
    const header = headerOf(file);
    if (header !== undefined) {
      for (const { at, bytes } of entriesOf(file, header.end)) writeAt(image, bytes, at);
      ftruncateSync(image, header.size);
      fsyncSync(image);
    }
  } finally {
    closeSync(file);
  }
  rmSync(name);
}

function headerOf(file: number): { readonly size: number; readonly end: number } | undefined {
  const bytes = readAt(file, 0, HEADER);
  if (bytes.length < HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getBigUint64(0, true) !== MAGIC) return undefined;
  return { size: view.getFloat64(8, true), end: view.getFloat64(16, true) };
}

function* entriesOf(file: number, end: number): Generator<{ readonly at: number; readonly bytes: Uint8Array }> {
  for (let here = HEADER; here < end; ) {
    const view = new DataView(readAt(file, here, ENTRY).slice().buffer);
    const bytes = readAt(file, here + ENTRY, view.getUint32(8, true));
    if (crc32(bytes) !== view.getUint32(12, true))
      throw new Error(`what was to be put back is damaged at byte ${here}`);
    yield { at: view.getFloat64(0, true), bytes };
    here += ENTRY + bytes.length;
  }
}

/** Write all of it. Returns how much that was. */
function writeAt(file: number, bytes: Uint8Array, at: number): number {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
  return bytes.length;
}

/** A new name is durable with its folder. */
function syncFolder(name: string): void {
  const folder = openSync(dirname(name), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
