import type { Pace } from '../../events/costs.ts';
import { type EventKind, VOCABULARY } from '../../events/vocabulary.ts';
import type { InputEvent, PendingInput } from '../../machine/parts.ts';
import type { ChunkPlace } from './opened.ts';
import { kindsUpTo, type TraceReader } from './reader.ts';

/** Whether a machine takes an event of this kind from outside. Power-on is an input that building it delivers. */
export const isDelivered = (kind: string): boolean =>
  kind !== 'sim:powered_on' && VOCABULARY[kind as EventKind]?.receiver !== undefined;

/** Where virtual time last jumped, and what took time since: together they tell the time of any later event. */
interface TimeBase {
  chunk: ChunkPlace | undefined;
  index: number;
  spent: number;
}

/**
 * The inputs of a trace up to `length` events, each due before the sequence number it had. Only the kinds of events
 * are read of chunks without any, so that opening a long run is quick.
 */
export function traceInputs(trace: TraceReader, length: number, pace: Pace): PendingInput[] {
  const kinds = Object.keys(trace.header.vocabulary);
  const warp = kinds.indexOf('sim:idle_warped');
  const costs = kinds.map((kind) => costOf(kind, pace));
  const delivered = kinds.map(isDelivered);
  const inputs: PendingInput[] = [];
  const base: TimeBase = { chunk: undefined, index: 0, spent: 0 };
  for (const [chunk, places] of kindsUpTo(trace, length)) {
    for (let index = 0; index < places.length; index += 1) {
      const place = places[index] as number;
      base.spent += costs[place]!;
      if (place === warp) Object.assign(base, { chunk, index, spent: 0 });
      else if (delivered[place]) inputs.push(inputAt(trace, chunk, index, pace, warpedBy(trace, base, pace)));
    }
  }
  return inputs;
}

/** What an event of a kind takes. */
function costOf(kind: string, { costs }: Pace): number {
  if (kind === 'kvm_exit') return costs.exit;
  return kind === 'kvm_userspace_exit' ? costs['user-exit'] : 0;
}

function warpedBy(trace: TraceReader, { chunk, index, spent }: TimeBase, { nsPerTick }: Pace): number {
  const stamped = chunk === undefined ? undefined : trace.readChunk(chunk)[index];
  const jumped = stamped?.event.kind === 'sim:idle_warped' ? stamped.event.to - stamped.tick * nsPerTick : 0;
  return jumped + spent;
}

function inputAt(
  trace: TraceReader,
  chunk: ChunkPlace,
  index: number,
  { nsPerTick }: Pace,
  warped: number,
): PendingInput {
  const { seq, tick, event } = trace.readChunk(chunk)[index]!;
  return { seq, tick, ns: tick * nsPerTick + warped, event: event as InputEvent };
}
