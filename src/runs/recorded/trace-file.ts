import { openTrace, type TraceAccess, type TraceReader } from '../../replay/trace/reader.ts';
import type { World } from '../world.ts';

/** A recorded trace, opened from a file. */
export interface TraceFile extends TraceReader {
  /** Close the file. Nothing can be read any more. */
  close(): void;
}

/** Open a recorded trace. Throws a Problem, with the file closed, when it is none. */
export function openTraceFile(
  { files, inflate }: Pick<World, 'files' | 'inflate'>,
  path: string,
  access: TraceAccess = {},
): TraceFile {
  const source = files.open(path);
  try {
    return { ...openTrace(source, inflate, access), close: source.close };
  } catch (problem) {
    source.close();
    throw problem;
  }
}
