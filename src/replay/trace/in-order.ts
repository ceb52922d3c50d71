import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import { TraceDamage } from './damage.ts';
import type { ChunkPlace } from './opened.ts';
import { chunkOf, type TraceReader } from './reader.ts';

/**
 * Every readable event from a sequence number on, oldest first, a chunk at a time. Throws a TraceDamage where the trace
 * ends early.
 */
export function* inOrder(trace: TraceReader, from = 0): Generator<Stamped, void> {
  const { chunks } = trace;
  let read = 0;
  for (let at = Math.max(0, chunkOf(chunks, from)); at < chunks.length; at += 1) {
    const events = eventsOf(trace, chunks[at], read);
    for (let i = 0; i < events.length; i += 1) if (events[i].seq >= from) yield events[i];
    read += events.length;
  }
  if (trace.damage !== undefined) throw new TraceDamage(trace.damage, read);
}

function eventsOf(trace: TraceReader, chunk: ChunkPlace, read: number): readonly Stamped[] {
  try {
    return trace.readChunk(chunk);
  } catch (problem) {
    throw problem instanceof Problem ? new TraceDamage(problem.message, read) : problem;
  }
}
