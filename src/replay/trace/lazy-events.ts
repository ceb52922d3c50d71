import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import { chunkOf, type OpenChunk, type ReadTrace, type TraceReader } from './reader.ts';

/** Chunks kept: where a reader stands, and those before it. */
const CHUNKS_KEPT = 4;

/** A chunk that is taken apart, and the places of its events in the run. */
interface Kept {
  readonly from: number;
  readonly to: number;
  readonly chunk: OpenChunk;
}

/**
 * Every readable event of a trace as an array that takes its chunks apart when they are looked at, and makes an event
 * when it is asked for, so that a run of millions of events needs no more memory than a few chunks. Each chunk is
 * checked beforehand: what is there is readable. Who goes from event to event asks its `at`, which is quicker.
 */
export function lazyEvents(trace: TraceReader): ReadTrace {
  const { length, damage } = readableLength(trace);
  const firstSeq = trace.chunks[0]?.firstSeq ?? 0;
  const kept: Kept[] = [];
  let last: Kept | undefined;
  const open = (index: number): Kept => {
    const known = kept.find(({ from, to }) => index >= from && index < to);
    if (known !== undefined) return known;
    const place = trace.chunks[chunkOf(trace.chunks, firstSeq + index)]!;
    const from = place.firstSeq - firstSeq;
    const opened = { from, to: from + place.events, chunk: trace.openChunk(place) };
    if (kept.push(opened) > CHUNKS_KEPT) kept.shift();
    return opened;
  };
  const at = (index: number): Stamped | undefined => {
    if (!(index >= 0 && index < length)) return undefined;
    if (last === undefined || index < last.from || index >= last.to) last = open(index);
    return last.chunk.at(index - last.from);
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

/** An array whose elements are asked for. Its methods are Array's own, but for `at`. */
function arrayOf(length: number, at: (index: number) => Stamped | undefined): readonly Stamped[] {
  const atEither = (index: number): Stamped | undefined => at(index < 0 ? length + index : index);
  return new Proxy([] as Stamped[], {
    get(array, key) {
      if (key === 'length') return length;
      if (key === 'at') return atEither;
      if (typeof key === 'string' && INDEX.test(key)) return at(Number(key));
      return Reflect.get(array, key);
    },
    has: (array, key) => (typeof key === 'string' && INDEX.test(key) ? Number(key) < length : Reflect.has(array, key)),
  });
}
