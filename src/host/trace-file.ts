import { closeSync, existsSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { Problem } from '../base/problem.ts';
import { FILE_MAGIC } from '../replay/trace/chunk.ts';
import type { ByteSource, Inflate } from '../replay/trace/opened.ts';
import { openTrace, type TraceReader } from '../replay/trace/reader.ts';
import type { ByteSink, Compress } from '../replay/trace/writer.ts';
import { worldProblem } from './files.ts';

/** Deflate for trace chunks: of the levels that cost as little as the lowest, the one that stores least. */
export const compress: Compress = (raw) => deflateRawSync(raw, { level: 5 });

/** The inverse of `compress`. */
export const inflate: Inflate = (stored, rawLength) => inflateRawSync(stored, { maxOutputLength: rawLength });

/** A trace being written to a file. */
export interface TraceSink extends ByteSink {
  close(): void;
}

/** Start a trace file. A file that is there and is not a trace stays as it is. */
export function createTraceFile(path: string): TraceSink {
  refuseOtherThanTrace(path);
  const folder = dirname(path);
  if (!existsSync(folder)) throw new Problem(`Cannot write the trace ${path}: there is no folder ${folder}.`);
  const file = opened(path, 'w', 'write the trace');
  return {
    append(bytes) {
      let at = 0;
      try {
        while (at < bytes.length) at += writeSync(file, bytes, at);
      } catch (error) {
        throw worldProblem('write the trace', path, error);
      }
    },
    close: () => closeSync(file),
  };
}

/** A recorded trace, opened from a file. */
export interface TraceFile extends TraceReader {
  /** Close the file. Nothing can be read any more. */
  close(): void;
}

/** Open a recorded trace. Throws a Problem, with the file closed, when it is none. */
export function openTraceFile(path: string): TraceFile {
  const source = fileSource(path);
  try {
    return { ...openTrace(source, inflate), close: source.close };
  } catch (problem) {
    source.close();
    throw problem;
  }
}

/** A file's bytes. */
export interface FileSource extends ByteSource {
  close(): void;
}

/** A file's bytes, read where they are asked for. */
export function fileSource(path: string): FileSource {
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
export function refuseOtherThanTrace(path: string): void {
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

function opened(path: string, flags: 'r' | 'w', purpose: string): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw worldProblem(purpose, path, error);
  }
}
