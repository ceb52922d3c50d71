import { partitionPoint } from '../base/partition.ts';
import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { CHUNK_HEADER_LENGTH, decodeChunkHeader, decodeTrailer, TRAILER_LENGTH } from '../replay/trace/chunk.ts';
import { Problem } from '../base/problem.ts';
import { checkpointPath } from '../runs/recorded/stored-checkpoints.ts';
import type { FileSink, OpenedFile } from '../runs/world.ts';

/** The name of a piece of a trace; the first has the trace's own. */
export const pieceName = (path: string, piece: number): string =>
  piece === 0 ? path : `${path}.${String(piece).padStart(3, '0')}`;

/** The names of the pieces there are, in order, beginning with the trace's own. */
export function piecesOf(path: string): string[] {
  const names = [path];
  for (let name = pieceName(path, 1); isPiece(name); name = pieceName(path, names.length)) names.push(name);
  return names;
}

const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile();

/** Whether a file begins as a piece that is not the first does: with a later chunk. */
function isPiece(path: string): boolean {
  if (!isFile(path)) return false;
  const file = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(CHUNK_HEADER_LENGTH);
    const isWhole = readSync(file, bytes, 0, bytes.length, 0) === bytes.length;
    return isWhole && (decodeChunkHeader(bytes)?.ordinal ?? 0) > 0;
  } finally {
    closeSync(file);
  }
}

/** Bytes of a trace's files; undefined for what is no file. */
export const sizeOfTrace = (path: string): number | undefined =>
  isFile(path) ? piecesOf(path).reduce((sum, name) => sum + statSync(name).size, 0) : undefined;

/** Whether the last of a trace's files has the end of it. */
export function isEnded(path: string): boolean {
  const file = openSync(piecesOf(path).at(-1) ?? path, 'r');
  try {
    const bytes = new Uint8Array(TRAILER_LENGTH);
    const end = fstatSync(file).size - bytes.length;
    return (
      end >= 0 && readSync(file, bytes, 0, bytes.length, end) === bytes.length && decodeTrailer(bytes) !== undefined
    );
  } finally {
    closeSync(file);
  }
}

/** A file written in pieces of so many bytes. What is appended at once stays together. */
export function inPieces(open: (piece: number) => FileSink, most: number): FileSink {
  let piece = 0;
  let length = 0;
  let file = open(piece);
  return {
    append(bytes) {
      // The trailer is never alone.
      if (length > 0 && length + bytes.length > most && bytes.length > TRAILER_LENGTH) {
        file.close();
        piece += 1;
        length = 0;
        file = open(piece);
      }
      file.append(bytes);
      length += bytes.length;
    },
    close: () => file.close(),
  };
}

/** Whether a file of a trace has its end: what else is there is none of its pieces. */
export function hasEnd({ size, read }: OpenedFile): boolean {
  const end = size - TRAILER_LENGTH;
  return end >= 0 && decodeTrailer(read(end, TRAILER_LENGTH)) !== undefined;
}

/** A part of a file that is read as one. */
export interface Part {
  readonly size: number;
  open(): OpenedFile;
}

/** Parts that are open at a time: a run of weeks may have thousands. */
const MOST_OPEN = 8;

/** Parts read as one file, one behind the other. */
export function joined(name: string, parts: readonly Part[]): OpenedFile {
  const ends: number[] = [];
  for (const part of parts) ends.push((ends.at(-1) ?? 0) + part.size);
  const size = ends.at(-1) ?? 0;
  const open = new Map<number, OpenedFile>();
  let isClosed = false;
  const opened = (at: number): OpenedFile => {
    if (isClosed) throw new Problem(`${name} was closed: nothing more can be read from it.`);
    const file = open.get(at) ?? parts[at]!.open();
    open.delete(at);
    open.set(at, file);
    const [oldest] = open;
    if (open.size > MOST_OPEN && oldest !== undefined) {
      oldest[1].close();
      open.delete(oldest[0]);
    }
    return file;
  };
  return {
    name,
    size,
    read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      let at = 0;
      for (let part = partAt(ends, offset); at < bytes.length && part < parts.length; part += 1) {
        const got = opened(part).read(offset + at - (ends[part - 1] ?? 0), bytes.length - at);
        bytes.set(got, at);
        at += got.length;
      }
      return bytes.subarray(0, at);
    },
    close() {
      isClosed = true;
      for (const file of open.values()) file.close();
      open.clear();
    },
  };
}

/** The first part that ends behind an offset. */
const partAt = (ends: readonly number[], offset: number): number =>
  partitionPoint(ends.length, (at) => ends[at]! <= offset);

/** The name under which the trace before is kept. */
export const oldName = (path: string): string => `${path}.old`;

/** Keep a trace, with all that belongs to it, under another name; what had that goes. */
export function keepAs(path: string, old: string): void {
  for (const name of [...piecesOf(old).slice(1), checkpointPath(old)]) rmSync(name, { force: true });
  for (const [piece, name] of piecesOf(path).entries()) renameSync(name, pieceName(old, piece));
  if (isFile(checkpointPath(path))) renameSync(checkpointPath(path), checkpointPath(old));
}
