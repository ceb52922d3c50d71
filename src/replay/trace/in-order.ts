import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import { TraceDamage } from './damage.ts';
import type { ChunkPlace } from './opened.ts';
import { chunkOf, type OpenChunk, type TraceReader } from './reader.ts';

/**
 * Every readable event from a sequence number on, oldest first, a chunk at a time; of kinds that are not wanted only
 * the last of a chunk. Throws a TraceDamage where the trace ends early.
 */
export function* inOrder(
  trace: TraceReader,
  from = 0,
  isWanted: (kind: string) => boolean = () => true,
): Generator<Stamped, void> {
  const { chunks } = trace;
  let read = 0;
  for (let at = Math.max(0, chunkOf(chunks, from)); at < chunks.length; at += 1) {
    const events = eventsOf(trace, chunks[at]!, read);
    const last = events.length - 1;
    for (let i = Math.max(0, from - chunks[at]!.firstSeq); i <= last; i += 1) {
      if (i === last || isWanted(events.kindAt(i))) yield events.at(i);
    }
    read += events.length;
  }
  if (trace.damage !== undefined) throw new TraceDamage(trace.damage, read);
}

function eventsOf(trace: TraceReader, chunk: ChunkPlace, read: number): OpenChunk {
  try {
    return trace.openChunk(chunk);
  } catch (problem) {
    throw problem instanceof Problem ? new TraceDamage(problem.message, read) : problem;
  }
}
