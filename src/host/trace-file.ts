import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import type { Inflate } from '../replay/trace/opened.ts';
import type { TraceAccess } from '../replay/trace/reader.ts';
import type { Compress } from '../replay/trace/writer.ts';
import { openTraceFile as openedFrom, type TraceFile } from '../runs/recorded/trace-file.ts';
import type { Files } from '../runs/world.ts';
import { deflateRaw } from './deflate.ts';
import { createTraceFile, createWhole } from './trace-sink.ts';
import { checkpointsOf, refuseOtherThanTrace, traceSource } from './trace-source.ts';

export { createTraceFile } from './trace-sink.ts';

/** Deflate for trace chunks. */
export const compress: Compress = deflateRaw;

/** The inverse of `compress`. What it gives is no Buffer: `slice` of one is no copy. */
export const inflate: Inflate = (stored, rawLength) => {
  const { buffer, byteOffset, length } = inflateRawSync(stored, { maxOutputLength: rawLength });
  return new Uint8Array(buffer, byteOffset, length);
};

/** Recorded files on disk. */
export const TRACE_FILES: Files = {
  open: traceSource,
  openCheckpoints: checkpointsOf,
  areSame,
  refuseOtherThanTrace,
  createTrace: createTraceFile,
  createWhole,
};

/** One file may have several names. */
function areSame(one: string, other: string): boolean {
  const [left, right] = [one, other].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }));
  if (left === undefined || right === undefined) return resolve(one) === resolve(other);
  return left.dev === right.dev && left.ino === right.ino;
}

/** Open a recorded trace. Throws a Problem, with the file closed, when it is none. */
export const openTraceFile = (path: string, access: TraceAccess = {}): TraceFile =>
  openedFrom({ files: TRACE_FILES, inflate }, path, access);
