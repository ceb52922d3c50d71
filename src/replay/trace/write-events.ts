import { type ByteWriter, writeVarint } from './bytes.ts';
import { writeEnvelope } from './envelope.ts';
import {
  type ByKind,
  byKind,
  type KindColumns,
  type KindTable,
  type KnownColumns,
  tellersAmong,
} from './event-columns.ts';
import type { HeldEvents } from './held-events.ts';
import { writeIntegers } from './integers.ts';
import type { Teller } from './told.ts';

/** The kinds that occur among events, and how many of each were before them. */
interface KindsPresent {
  readonly kinds: readonly KindColumns[];
  readonly before: Uint32Array;
  readonly gap: Teller;
}

/**
 * Append the held events from one place up to another: their kinds, their envelopes, then for each kind that occurs
 * its columns.
 */
export function writeEvents(out: ByteWriter, held: HeldEvents, kinds: KindTable, from = 0, to = held.count): void {
  const count = to - from;
  writeVarint(out, count);
  if (count === 0) return;
  const places = held.places.subarray(from, to);
  const { order, starts } = byKind(places, count, kinds.byPlace.length);
  const present = kinds.inOrder.filter(({ place }) => starts[place + 1]! > starts[place]!);
  writeVarint(out, present.length);
  const numbers = new Uint32Array(kinds.byPlace.length);
  present.forEach(({ place }, number) => {
    writeVarint(out, place);
    numbers[place] = number;
  });
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += 1) values[i] = numbers[places[i]!]!;
  writeIntegers(out, values, count);
  const gap = writeEnvelope(out, held, from, to, order);
  const before = new Uint32Array(kinds.byPlace.length);
  for (let at = 0; at < from; at += 1) before[held.places[at]!]! += 1;
  writeKinds(out, held, { order, starts }, { kinds: present, before, gap });
}

/** The columns of each kind that occurs, those first that tell others. */
function writeKinds(out: ByteWriter, held: HeldEvents, { order, starts }: ByKind, present: KindsPresent): void {
  const said = held.kinds.map((): KnownColumns => ({ events: order, said: [] }));
  const [low, high] = tellersAmong(said, present.gap);
  for (const { place, tellers } of present.kinds) {
    const rows = order.subarray(starts[place], starts[place + 1]);
    const from = present.before[place]!;
    const saying = held.kinds[place]!.columns.map((column, field) =>
      column.write(out, from, from + rows.length, { rows, tellers: tellers[field]!, low, high }),
    );
    said[place] = { events: rows, said: saying };
  }
}
