import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { Problem } from '../base/problem.ts';
import { FILE_MAGIC } from '../replay/trace/chunk.ts';
import type { Inflate } from '../replay/trace/opened.ts';
import type { TraceAccess } from '../replay/trace/reader.ts';
import type { Compress } from '../replay/trace/writer.ts';
import { checkpointPath } from '../runs/recorded/stored-checkpoints.ts';
import { openTraceFile as openedFrom, type TraceFile } from '../runs/recorded/trace-file.ts';
import type { Files, FileSink, OpenedFile, WholeFile } from '../runs/world.ts';
import { worldProblem } from './files.ts';
import { locked } from './lock.ts';
import { isPack, memberOf, openPack, traceIn } from './pack/opened-pack.ts';
import { hasEnd, inPieces, joined, keepAs, oldName, pieceName, piecesOf } from './pieces.ts';

/** Deflate for trace chunks: the level at which a short run, whose writer is not warm yet, costs least. */
export const compress: Compress = (raw) => deflateRawSync(raw, { level: 3 });

/** The inverse of `compress`. What it gives is no Buffer: `slice` of one is no copy. */
export const inflate: Inflate = (stored, rawLength) => {
  const { buffer, byteOffset, length } = inflateRawSync(stored, { maxOutputLength: rawLength });
  return new Uint8Array(buffer, byteOffset, length);
};

/** Where a file really lies: a lock and a name of old belong beside it. */
function realName(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const folder = dirname(path);
  return existsSync(folder) ? join(realpathSync(folder), basename(path)) : path;
}

const isOrWouldBeFile = (path: string): boolean => !existsSync(path) || statSync(path).isFile();

/**
 * Start a trace, in pieces of so many bytes if they are given. Nobody else may write it meanwhile, and the trace that
 * was there is kept; a file that is no trace stays as it is. What is no file at all, as a terminal, is written to.
 */
export function createTraceFile(path: string, pieceBytes?: number): FileSink {
  refuseOtherThanTrace(path);
  const folder = dirname(path);
  if (!existsSync(folder)) throw new Problem(`Cannot write the trace ${path}: there is no folder ${folder}.`);
  if (!isOrWouldBeFile(path)) return written(path, path, 'write the trace');
  const real = realName(path);
  const release = locked(real);
  try {
    keepOld(real);
    refuseOther(real, pieceBytes);
    const piece = (at: number): FileSink => written(pieceName(real, at), pieceName(path, at), 'write the trace');
    const file = pieceBytes === undefined ? piece(0) : inPieces(piece, pieceBytes);
    return { append: file.append, close: both(file.close, release) };
  } catch (problem) {
    release();
    throw problem;
  }
}

/** What lies where a piece would, or what would be taken for one: a piece whose trace is gone. */
function refuseOther(path: string, pieceBytes: number | undefined): void {
  const piece = pieceName(path, 1);
  if (pieceBytes === undefined ? piecesOf(path).length === 1 : !existsSync(piece)) return;
  throw new Problem(`${piece} is in the way, and no trace here goes on in it: move it, or choose another --trace.`);
}

const both = (act: () => void, then: () => void) => (): void => {
  try {
    act();
  } finally {
    then();
  }
};

/** Keep the trace that is at a name. */
function keepOld(path: string): void {
  if (!existsSync(path) || statSync(path).size === 0) return;
  const old = oldName(path);
  refuseOtherThanTrace(old);
  try {
    keepAs(path, old);
  } catch (error) {
    throw worldProblem('keep the trace before as', old, error);
  }
}

/** A file being written. What goes wrong is said of the name it is to have. */
function written(path: string, named: string, purpose: string): FileSink {
  const file = opened(path, 'w', purpose, named);
  let isClosed = false;
  return {
    append(bytes) {
      let at = 0;
      try {
        while (at < bytes.length) at += writeSync(file, bytes, at);
      } catch (error) {
        throw worldProblem(purpose, named, error);
      }
    },
    close() {
      if (!isClosed) closeSync(file);
      isClosed = true;
    },
  };
}

/** A file that has its name once it is closed. What is no file at all, as a terminal, is written to directly. */
function createWhole(path: string, what: 'trace' | 'checkpoints' | 'pack'): WholeFile {
  const purpose = `write the ${what}`;
  if (what === 'trace') {
    refuseOtherThanTrace(path);
    if (!isOrWouldBeFile(path)) {
      const file = written(path, path, purpose);
      return { ...file, drop: file.close };
    }
    refuseOtherThanTrace(`${path}.part`);
  }
  const real = realName(path);
  const partial = `${real}.part`;
  const release = locked(real);
  let file: FileSink;
  try {
    file = written(partial, path, purpose);
  } catch (problem) {
    release();
    throw problem;
  }
  const named = (): void => {
    file.close();
    if (what === 'trace') keepOld(real);
    try {
      renameSync(partial, real);
    } catch (error) {
      throw worldProblem(purpose, path, error);
    }
  };
  const dropped = (): void => {
    file.close();
    rmSync(partial, { force: true });
  };
  return { append: file.append, close: both(named, release), drop: both(dropped, release) };
}

/** A trace's bytes, of all its pieces. */
function traceSource(path: string): OpenedFile {
  const first = sourceFile(path);
  if (isPack(first)) return orClosed(first, traceIn);
  const names = piecesOf(path);
  if (names.length === 1 || hasEnd(first)) return first;
  first.close();
  const parts = names.map((name) => ({ size: statSync(name).size, open: () => sourceFile(name) }));
  return joined(path, parts);
}

/** Take what is in a file; closed when that cannot be had. */
function orClosed<T>(file: OpenedFile, take: (file: OpenedFile) => T): T {
  try {
    return take(file);
  } catch (problem) {
    file.close();
    throw problem;
  }
}

/** The checkpoints of a trace: beside it, or in its pack. */
function checkpointsOf(trace: string): OpenedFile | undefined {
  const beside = checkpointPath(trace);
  if (existsSync(beside)) return sourceFile(beside);
  const file = sourceFile(trace);
  const packed = orClosed(file, () => {
    if (!isPack(file)) return undefined;
    const pack = openPack(file);
    const member = memberOf(pack, 'checkpoints');
    return member === undefined ? undefined : pack.source(member);
  });
  if (packed === undefined) file.close();
  return packed;
}

/** A file's bytes, read where they are asked for. */
export function sourceFile(path: string): OpenedFile {
  const file = opened(path, 'r', 'read the trace');
  const stat = fstatSync(file);
  if (!stat.isFile()) {
    closeSync(file);
    throw new Problem(`${path} is not a file: give the trace \`retrovisor run\` wrote.`);
  }
  let isClosed = false;
  return {
    close() {
      if (!isClosed) closeSync(file);
      isClosed = true;
    },
    name: path,
    size: stat.size,
    read(offset, length) {
      if (isClosed) throw new Problem(`${path} was closed: nothing more can be read from it.`);
      const bytes = new Uint8Array(Math.max(0, Math.min(length, stat.size - offset)));
      let at = 0;
      while (at < bytes.length) {
        const got = readSync(file, bytes, at, bytes.length - at, offset + at);
        if (got === 0) break;
        at += got;
      }
      return bytes.subarray(0, at);
    },
  };
}

/** Throw unless a trace may be written here: over nothing or over a trace. */
function refuseOtherThanTrace(path: string): void {
  if (!existsSync(path)) return;
  if (!statSync(path).isFile()) {
    if (statSync(path).isDirectory()) throw new Problem(`Cannot write the trace: ${path} is a folder.`);
    return;
  }
  const source = sourceFile(path);
  const start = source.read(0, FILE_MAGIC.length);
  source.close();
  if (source.size > 0 && !FILE_MAGIC.every((byte, at) => start[at] === byte)) {
    throw new Problem(`${path} exists and is not a trace: it is left as it is. Choose another name with --trace.`);
  }
}

function opened(path: string, flags: 'r' | 'w', purpose: string, named = path): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw worldProblem(purpose, named, error);
  }
}

/** Recorded files on disk. */
export const TRACE_FILES: Files = {
  open: traceSource,
  openCheckpoints: checkpointsOf,
  areSame: (one, other) => resolve(one) === resolve(other),
  refuseOtherThanTrace,
  createTrace: createTraceFile,
  createWhole,
};

/** Open a recorded trace. Throws a Problem, with the file closed, when it is none. */
export const openTraceFile = (path: string, access: TraceAccess = {}): TraceFile =>
  openedFrom({ files: TRACE_FILES, inflate }, path, access);
