import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import { chunkOf, type ReadTrace, type TraceReader } from './reader.ts';

/** Decoded chunks kept: where a reader stands, and the one before it. */
const CHUNKS_KEPT = 4;

/**
 * Every readable event of a trace as an array that decodes its chunks when they are looked at, so that a run of
 * millions of events needs no more memory than a few chunks. Each chunk is checked beforehand: what is there is
 * readable.
 */
export function lazyEvents(trace: TraceReader): ReadTrace {
  const { length, damage } = readableLength(trace);
  const firstSeq = trace.chunks[0]?.firstSeq ?? 0;
  const kept = new Map<number, readonly Stamped[]>();
  const at = (index: number): Stamped | undefined => {
    if (index >= length) return undefined;
    const seq = firstSeq + index;
    const place = chunkOf(trace.chunks, seq);
    let events = kept.get(place);
    if (events === undefined) {
      events = trace.readChunk(trace.chunks[place]!);
      if (kept.size >= CHUNKS_KEPT) kept.delete(kept.keys().next().value as number);
      kept.set(place, events);
    }
    return events[seq - trace.chunks[place]!.firstSeq];
  };
  return { events: arrayOf(length, at), damage };
}

function readableLength(trace: TraceReader): { readonly length: number; readonly damage: string | undefined } {
  let length = 0;
  for (const chunk of trace.chunks) {
    try {
      trace.check(chunk);
      length += chunk.events;
    } catch (problem) {
      if (problem instanceof Problem) return { length, damage: problem.message };
      throw problem;
    }
  }
  return { length, damage: trace.damage };
}

const INDEX = /^\d+$/;

/** An array whose elements are asked for. Its methods are Array's own. */
function arrayOf(length: number, at: (index: number) => Stamped | undefined): readonly Stamped[] {
  return new Proxy([] as Stamped[], {
    get(array, key) {
      if (key === 'length') return length;
      if (typeof key === 'string' && INDEX.test(key)) return at(Number(key));
      return Reflect.get(array, key);
    },
    has: (array, key) => (typeof key === 'string' && INDEX.test(key) ? Number(key) < length : Reflect.has(array, key)),
  });
}
