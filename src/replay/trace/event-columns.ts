import { Problem } from '../../base/problem.ts';
import type { FieldType } from '../../events/schema.ts';
import type { Stamped } from '../../events/stamped.ts';
import { byteReader, type ByteReader, type ByteWriter, readVarint, writeVarint } from './bytes.ts';
import { type Row, readColumn, readIntegers, type Scratch, scratch, writeColumn, writeIntegers } from './columns.ts';
import { type Envelope, NO_EVENT, type ReadEnvelope, writeEnvelope } from './envelope.ts';
import type { RecordedVocabulary } from './header.ts';

/** A kind's place in the trace and its columns. */
interface KindColumns {
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
interface ByKind {
  /** Their places in the batch, kind by kind; of a kind as they come. */
  readonly order: Uint32Array;
  /** Where in `order` each kind starts; one more than there are kinds. */
  readonly starts: Uint32Array;
}

function byKind(places: Uint32Array, count: number, kindCount: number): ByKind {
  const starts = new Uint32Array(kindCount + 1);
  for (let i = 0; i < count; i += 1) starts[places[i] + 1] += 1;
  for (let kind = 1; kind <= kindCount; kind += 1) starts[kind] += starts[kind - 1];
  const next = starts.slice();
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) order[next[places[i]]++] = i;
  return { order, starts };
}

/** An event as its trace recorded it: the fields its vocabulary had, whatever today's has. */
export interface RecordedEvent {
  readonly seq: number;
  readonly tick: number;
  readonly source: number;
  readonly cause: number | undefined;
  readonly within: number | undefined;
  readonly event: { readonly kind: string } & Readonly<Row>;
}

/** The kinds of the batch `writeEvents` appended, by place: what can be told without reading the columns. */
export function readKinds(payload: Uint8Array, expected: number, kinds: KindTable): Float64Array {
  return kindsOf(byteReader(payload), expected, kinds);
}

function kindsOf(input: ByteReader, expected: number, { byPlace }: KindTable): Float64Array {
  demand(readVarint(input) === expected, 'another number of events than it says');
  const places = new Float64Array(expected);
  if (expected > 0) readIntegers(input, places, expected);
  demand(
    places.every((place) => place >= 0 && place < byPlace.length),
    'a kind that its header does not name',
  );
  return places;
}

/** What a chunk's header says of its events. */
export interface Extent {
  readonly events: number;
  readonly firstSeq: number;
}

/** The batch `writeEvents` appended, as its chunk's header says. Throws a Problem when it contradicts itself. */
export function readEvents(
  payload: Uint8Array,
  { events: expected, firstSeq }: Extent,
  kinds: KindTable,
  readEnvelope: ReadEnvelope,
): RecordedEvent[] {
  const input = byteReader(payload);
  const places = kindsOf(input, expected, kinds);
  const events = new Array<RecordedEvent>(expected);
  if (expected === 0) return events;
  const { order, starts } = byKind(new Uint32Array(places), expected, kinds.byPlace.length);
  const envelope = readEnvelope(input, order);
  demand(envelope.seqs[0] === firstSeq, 'other events than it says');
  checkEnvelope(envelope);
  const { seqs, ticks, sources, withins, causes } = envelope;
  const room = scratch(expected);
  for (let left = readVarint(input); left > 0; left -= 1) {
    const place = readVarint(input);
    const rows = readRows(input, kinds.byPlace[place], starts[place + 1] - starts[place], room);
    for (let row = 0; row < rows.length; row += 1) {
      const i = order[starts[place] + row];
      events[i] = {
        seq: seqs[i],
        tick: ticks[i],
        source: sources[i],
        cause: causes[i] === NO_EVENT ? undefined : causes[i],
        within: withins[i] === NO_EVENT ? undefined : withins[i],
        event: rows[row] as RecordedEvent['event'],
      };
    }
  }
  demand(!events.includes(undefined as unknown as RecordedEvent), 'fewer events than it says');
  return events;
}

/** Events come one after the other, time goes on, and what an event comes from was before it. */
function checkEnvelope({ seqs, ticks, sources, withins, causes }: Envelope): void {
  for (let i = 0; i < seqs.length; i += 1) {
    demand(i === 0 || seqs[i] === seqs[i - 1] + 1, 'events that do not follow one another');
    demand(ticks[i] >= (i === 0 ? 0 : ticks[i - 1]) && ticks[i] <= Number.MAX_SAFE_INTEGER, 'ticks that do not go on');
    demand(sources[i] >= 0, 'an event of nobody');
    demand(isEarlier(withins[i], seqs[i]) && isEarlier(causes[i], seqs[i]), 'an event whose cause comes after it');
  }
}

const isEarlier = (link: number, seq: number): boolean => link >= NO_EVENT && link < seq;

function readRows(input: ByteReader, columns: KindColumns | undefined, expected: number, room: Scratch): Row[] {
  if (columns === undefined || readVarint(input) !== expected) throw contradiction('events its kinds do not tell of');
  const { blank, fields } = columns;
  const rows = new Array<Row>(expected);
  for (let row = 0; row < expected; row += 1) rows[row] = { ...blank };
  for (const [name, type] of fields) readColumn(input, type, rows, name, room);
  return rows;
}

const contradiction = (what: string): Problem =>
  new Problem(`A chunk of the trace contradicts itself: it holds ${what}.`);

function demand(holds: boolean, what: string): void {
  if (!holds) throw contradiction(what);
}
