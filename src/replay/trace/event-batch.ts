import { ByteReader } from '../../base/byte-reader.ts';
import type { Seq, Tick } from '../../base/units.ts';
import { type Column, readColumn, type Row, valueIn } from './columns.ts';
import { contradiction } from './contradiction.ts';
import { type Envelope, gapsOf, type Layout, NO_EVENT } from './envelope.ts';
import { type ByKind, byKind, type KindTable, type KnownColumns, tellersAmong } from './event-columns.ts';
import { readIntegers } from './integers.ts';

/** An event as its trace recorded it: the fields its vocabulary had, whatever today's has. */
export interface RecordedEvent {
  readonly seq: Seq;
  readonly tick: Tick;
  readonly source: number;
  readonly cause: Seq | undefined;
  readonly within: Seq | undefined;
  readonly event: { readonly kind: string } & Readonly<Row>;
}

/** What a sentence about its content calls it. */
const WHAT = 'its content';

/** The kinds of the batch `writeEvents` appended, by place: what can be told without reading the columns. */
export function readKinds(payload: Uint8Array, expected: number, kinds: KindTable, layout: Layout): Float64Array {
  return kindsOf(new ByteReader(payload, WHAT), expected, kinds, layout).places;
}

/** By event, its kind's place; and, where they are listed, the kinds that occur, as their columns follow. */
interface Kinds {
  readonly places: Float64Array;
  readonly listed: readonly number[] | undefined;
}

function kindsOf(input: ByteReader, expected: number, { byPlace }: KindTable, { hasCounts }: Layout): Kinds {
  demand(input.varint() === expected, 'another number of events than it says');
  const listed = hasCounts ? undefined : readListed(input, expected);
  const places = new Float64Array(expected);
  if (expected > 0) readIntegers(input, places, expected);
  if (listed !== undefined) for (let i = 0; i < expected; i += 1) places[i] = listed[places[i]!] ?? -1;
  checkPlaces(places, byPlace.length);
  return { places, listed };
}

/** A loop, not a call of each: whoever only counts the events of a run spends its time here. */
function checkPlaces(places: Float64Array, kinds: number): void {
  for (let i = 0; i < places.length; i += 1) {
    if (!(places[i]! >= 0 && places[i]! < kinds)) throw contradiction('a kind that its header does not name');
  }
}

function readListed(input: ByteReader, most: number): number[] {
  const count = input.count(1);
  demand(count <= most, 'more kinds than there are');
  const listed = Array.from({ length: count }, () => input.varint());
  demand(new Set(listed).size === count, 'a kind twice');
  return listed;
}

/** What a chunk's header says of its events. */
export interface Extent {
  readonly events: number;
  readonly firstSeq: Seq;
}

/** Events of a chunk, taken apart into columns and put together when they are asked for. */
export interface EventBatch {
  readonly length: number;
  kindAt(index: number): string;
  /** The event at a place 0..length-1, made anew: the caller may keep it. */
  at(index: number): RecordedEvent;
}

/** The batch `writeEvents` appended, as its chunk's header says. Throws a Problem when it contradicts itself. */
export function readEvents(
  payload: Uint8Array,
  { events: expected, firstSeq }: Extent,
  kinds: KindTable,
  layout: Layout,
): EventBatch {
  const input = new ByteReader(payload, WHAT);
  const { places, listed } = kindsOf(input, expected, kinds, layout);
  demand(expected > 0, 'no events');
  const grouped = byKind(new Uint32Array(places), expected, kinds.byPlace.length);
  const envelope = layout.readEnvelope(input, grouped.order);
  demand(envelope.seqs[0] === firstSeq, 'other events than it says');
  checkEnvelope(envelope);
  const present = readKindColumns(input, grouped, { kinds, listed, layout, envelope });
  demand(
    places.every((place) => present[place] !== undefined),
    'fewer events than it says',
  );
  return batchOf(envelope, places, rowsOf(grouped), present as readonly RecordedKind[]);
}

/** What is known of a chunk before the columns of its kinds. */
interface KindSection {
  readonly kinds: KindTable;
  readonly listed: readonly number[] | undefined;
  readonly layout: Layout;
  readonly envelope: Envelope;
}

function readKindColumns(
  input: ByteReader,
  { order, starts }: ByKind,
  { kinds: { byPlace }, listed, layout, envelope }: KindSection,
): (RecordedKind | undefined)[] {
  const present = new Array<RecordedKind | undefined>(byPlace.length).fill(undefined);
  const known = new Array<KnownColumns | undefined>(byPlace.length).fill(undefined);
  const [low, high] = tellersAmong(known, gapsOf(envelope.ticks));
  const { hasCounts, hasShortBytes } = layout;
  const count = listed?.length ?? input.varint();
  for (let at = 0; at < count; at += 1) {
    const place = listed?.[at] ?? input.varint();
    const columns = byPlace[place];
    const events = order.subarray(starts[place], starts[place + 1]);
    const isThere = columns !== undefined && events.length > 0;
    const isTold = isThere && (!hasCounts || input.varint() === events.length);
    if (!isTold) throw contradiction('events its kinds do not tell of');
    const telling = { rows: events, tellers: [], low, high };
    const read = columns.fields.map(([name, type]) => readColumn(input, { name, type }, telling, hasShortBytes));
    present[place] = recordedKind(columns.kind, columns.blank, read);
    known[place] = { events, said: read.map(({ said }) => said) };
  }
  return present;
}

/** By event, which of its kind it is. */
function rowsOf({ order, starts }: ByKind): Uint32Array {
  const rows = new Uint32Array(order.length);
  for (let kind = 1; kind < starts.length; kind += 1) {
    const start = starts[kind - 1]!;
    for (let at = start; at < starts[kind]!; at += 1) rows[order[at]!] = at - start;
  }
  return rows;
}

function batchOf(
  { seqs, ticks, sources, withins, causes }: Envelope,
  places: Float64Array,
  rows: Uint32Array,
  kinds: readonly RecordedKind[],
): EventBatch {
  return {
    length: seqs.length,
    kindAt: (i) => kinds[places[i]!]!.kind,
    at: (i) => ({
      seq: seqs[i]!,
      tick: ticks[i]!,
      source: sources[i]!,
      cause: causes[i] === NO_EVENT ? undefined : causes[i],
      within: withins[i] === NO_EVENT ? undefined : withins[i],
      event: eventOf(kinds[places[i]!]!, rows[i]!),
    }),
  };
}

/** A chunk's events of one kind. */
interface RecordedKind {
  readonly kind: string;
  /** An event of the kind with what all of them have, to be copied. */
  readonly blank: RecordedEvent['event'];
  readonly differing: readonly Column[];
}

function recordedKind(kind: string, blankOf: Row, columns: readonly Column[]): RecordedKind {
  const blank = { ...blankOf };
  for (const column of columns) if (column.isConstant) blank[column.name] = valueIn(column, 0);
  const differing = columns.filter(({ isConstant }) => !isConstant);
  return { kind, blank: blank as RecordedEvent['event'], differing };
}

function eventOf({ blank, differing }: RecordedKind, row: number): RecordedEvent['event'] {
  const event: Row = { ...blank };
  for (let i = 0; i < differing.length; i += 1) event[differing[i]!.name] = valueIn(differing[i]!, row);
  return event as RecordedEvent['event'];
}

/** Events come one after the other, time goes on, and what an event comes from was before it. */
function checkEnvelope({ seqs, ticks, sources, withins, causes }: Envelope): void {
  for (let i = 0; i < seqs.length; i += 1) {
    demand(i === 0 || seqs[i] === seqs[i - 1]! + 1, 'events that do not follow one another');
    demand(
      ticks[i]! >= (i === 0 ? 0 : ticks[i - 1]!) && ticks[i]! <= Number.MAX_SAFE_INTEGER,
      'ticks that do not go on',
    );
    demand(sources[i]! >= 0, 'an event of nobody');
    demand(isEarlier(withins[i]!, seqs[i]!) && isEarlier(causes[i]!, seqs[i]!), 'an event whose cause comes after it');
  }
}

const isEarlier = (link: number, seq: Seq): boolean => link >= NO_EVENT && link < seq;

function demand(holds: boolean, what: string): void {
  if (!holds) throw contradiction(what);
}
