import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { Problem } from '../base/problem.ts';
import { FILE_MAGIC } from '../replay/trace/chunk.ts';
import type { Inflate } from '../replay/trace/opened.ts';
import type { TraceAccess } from '../replay/trace/reader.ts';
import type { Compress } from '../replay/trace/writer.ts';
import { openTraceFile as openedFrom, type TraceFile } from '../runs/recorded/trace-file.ts';
import type { Files, FileSink, OpenedFile, WholeFile } from '../runs/world.ts';
import { worldProblem } from './files.ts';

/** Deflate for trace chunks: the level at which a short run, whose writer is not warm yet, costs least. */
export const compress: Compress = (raw) => deflateRawSync(raw, { level: 3 });

/** The inverse of `compress`. What it gives is no Buffer: `slice` of one is no copy. */
export const inflate: Inflate = (stored, rawLength) => {
  const { buffer, byteOffset, length } = inflateRawSync(stored, { maxOutputLength: rawLength });
  return new Uint8Array(buffer, byteOffset, length);
};

/** Start a trace file. A file that is there and is not a trace stays as it is. */
export function createTraceFile(path: string): FileSink {
  refuseOtherThanTrace(path);
  const folder = dirname(path);
  if (!existsSync(folder)) throw new Problem(`Cannot write the trace ${path}: there is no folder ${folder}.`);
  return written(path, path, 'write the trace');
}

/** A file being written. What goes wrong is said of the name it is to have. */
function written(path: string, named: string, purpose: string): FileSink {
  const file = opened(path, 'w', purpose, named);
  return {
    append(bytes) {
      let at = 0;
      try {
        while (at < bytes.length) at += writeSync(file, bytes, at);
      } catch (error) {
        throw worldProblem(purpose, named, error);
      }
    },
    close: () => closeSync(file),
  };
}

/** A file that has its name once it is closed. What is no file at all, as a terminal, is written to directly. */
function createWhole(path: string, what: 'trace' | 'checkpoints'): WholeFile {
  const isFile = !existsSync(path) || statSync(path).isFile() || what === 'checkpoints';
  const partial = isFile ? `${path}.part` : path;
  const purpose = `write the ${what}`;
  const file = what === 'trace' ? createTraceFile(partial) : written(partial, path, purpose);
  return {
    append: file.append,
    close() {
      file.close();
      if (!isFile) return;
      try {
        renameSync(partial, path);
      } catch (error) {
        throw worldProblem(purpose, path, error);
      }
    },
    drop() {
      file.close();
      if (isFile) rmSync(partial, { force: true });
    },
  };
}

/** A file's bytes, read where they are asked for. */
function fileSource(path: string): OpenedFile {
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
  const source = fileSource(path);
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
  open: fileSource,
  exists: existsSync,
  areSame: (one, other) => resolve(one) === resolve(other),
  refuseOtherThanTrace,
  createTrace: createTraceFile,
  createWhole,
};

/** Open a recorded trace. Throws a Problem, with the file closed, when it is none. */
export const openTraceFile = (path: string, access: TraceAccess = {}): TraceFile =>
  openedFrom({ files: TRACE_FILES, inflate }, path, access);
