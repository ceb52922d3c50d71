import { type EventKind, VOCABULARY } from '../../events/vocabulary.ts';
import { VM_EXIT_NS } from '../../kvm/clock/exit-cost.ts';
import type { InputEvent, PendingInput } from '../../machine/parts.ts';
import type { ChunkPlace } from './opened.ts';
import { kindsUpTo, type TraceReader } from './reader.ts';

/** Whether a machine takes an event of this kind from outside. Power-on is an input that building it delivers. */
export const isDelivered = (kind: string): boolean =>
  kind !== 'sim:powered_on' && VOCABULARY[kind as EventKind]?.receiver !== undefined;

/** Where virtual time last jumped, and the VM exits since: together they tell the time of any later event. */
interface TimeBase {
  chunk: ChunkPlace | undefined;
  index: number;
  exits: number;
}

/**
 * The inputs of a trace up to `length` events, each due before the sequence number it had. Only the kinds of events
 * are read of chunks without any, so that opening a long run is quick.
 */
export function traceInputs(trace: TraceReader, length: number, nsPerTick: number): PendingInput[] {
  const kinds = Object.keys(trace.header.vocabulary);
  const [exit, warp] = [kinds.indexOf('kvm_exit'), kinds.indexOf('sim:idle_warped')];
  const delivered = kinds.map(isDelivered);
  const inputs: PendingInput[] = [];
  const base: TimeBase = { chunk: undefined, index: 0, exits: 0 };
  for (const [chunk, places] of kindsUpTo(trace, length)) {
    for (let index = 0; index < places.length; index += 1) {
      const place = places[index] as number;
      if (place === exit) base.exits += 1;
      else if (place === warp) Object.assign(base, { chunk, index, exits: 0 });
      else if (delivered[place]) inputs.push(inputAt(trace, chunk, index, warpedBy(trace, base, nsPerTick), nsPerTick));
    }
  }
  return inputs;
}

function warpedBy(trace: TraceReader, { chunk, index, exits }: TimeBase, nsPerTick: number): number {
  const stamped = chunk === undefined ? undefined : trace.readChunk(chunk)[index];
  const jumped = stamped?.event.kind === 'sim:idle_warped' ? stamped.event.to - stamped.tick * nsPerTick : 0;
  return jumped + exits * VM_EXIT_NS;
}

function inputAt(
  trace: TraceReader,
  chunk: ChunkPlace,
  index: number,
  warped: number,
  nsPerTick: number,
): PendingInput {
  const { seq, tick, event } = trace.readChunk(chunk)[index];
  return { seq, tick, ns: tick * nsPerTick + warped, event: event as InputEvent };
}
