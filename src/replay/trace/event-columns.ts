import type { FieldType } from '../../events/schema.ts';
import type { Stamped } from '../../events/stamped.ts';
import { type ByteWriter, writeVarint } from './bytes.ts';
import { type Row, type Scratch, writeColumn, writeIntegers } from './columns.ts';
import { writeEnvelope } from './envelope.ts';
import type { RecordedVocabulary } from './header.ts';

/** A kind's place in the trace and its columns. */
export interface KindColumns {
  readonly kind: string;
  readonly place: number;
  readonly fields: readonly (readonly [string, FieldType])[];
  /** An event of the kind, to be copied: objects that have all their fields from the start are four times as fast. */
  readonly blank: Row;
}

/** The kinds of a trace, by name and by place. Kinds keep the order of the header's vocabulary. */
export interface KindTable {
  readonly byName: ReadonlyMap<string, KindColumns>;
  readonly byPlace: readonly KindColumns[];
}

/** Kinds numbered in the order of a vocabulary. */
export function kindTable(vocabulary: RecordedVocabulary): KindTable {
  const byPlace = Object.entries(vocabulary).map(([kind, fields], place) => ({
    kind,
    place,
    fields: Object.entries(fields),
    blank: { kind, ...Object.fromEntries(Object.keys(fields).map((name) => [name, undefined])) },
  }));
  return { byPlace, byName: new Map(byPlace.map((columns) => [columns.kind, columns])) };
}

/**
 * Append a batch of stamped events: their kinds, their envelopes, then for each kind that occurs its number, count and
 * columns.
 */
export function writeEvents(out: ByteWriter, batch: readonly Stamped[], kinds: KindTable, room: Scratch): void {
  const count = batch.length;
  writeVarint(out, count);
  if (count === 0) return;
  const { values, places } = room;
  for (let i = 0; i < count; i += 1) {
    const { place } = kinds.byName.get(batch[i].event.kind) as KindColumns;
    places[i] = place;
    values[i] = place;
  }
  writeIntegers(out, values, count);
  const { order, starts } = byKind(places, count, kinds.byPlace.length);
  writeEnvelope(out, batch, order, room);
  const rows = new Array<Readonly<Row>>(count);
  for (let at = 0; at < count; at += 1) rows[at] = batch[order[at]].event;
  const present = kinds.byPlace.filter(({ place }) => starts[place + 1] > starts[place]);
  writeVarint(out, present.length);
  for (const { place, fields } of present) {
    const of = rows.slice(starts[place], starts[place + 1]);
    writeVarint(out, place);
    writeVarint(out, of.length);
    for (const [name, type] of fields) writeColumn(out, type, of, name, room);
  }
}

/** A batch's events by kind. */
export interface ByKind {
  /** Their places in the batch, kind by kind; of a kind as they come. */
  readonly order: Uint32Array;
  /** Where in `order` each kind starts; one more than there are kinds. */
  readonly starts: Uint32Array;
}

export function byKind(places: Uint32Array, count: number, kindCount: number): ByKind {
  const starts = new Uint32Array(kindCount + 1);
  for (let i = 0; i < count; i += 1) starts[places[i] + 1] += 1;
  for (let kind = 1; kind <= kindCount; kind += 1) starts[kind] += starts[kind - 1];
  const next = starts.slice();
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) order[next[places[i]]++] = i;
  return { order, starts };
}
