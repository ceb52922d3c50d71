import type { FieldType } from '../../events/schema.ts';
import type { Stamped } from '../../events/stamped.ts';
import { byteReader, type ByteReader, type ByteWriter, readVarint, writeVarint } from './bytes.ts';
import { type Row, readColumn, readIntegers, type Scratch, scratch, writeColumn, writeIntegers } from './columns.ts';
import type { RecordedVocabulary } from './header.ts';

/** A kind's place in the trace and its columns. */
interface KindColumns {
  readonly kind: string;
  readonly place: number;
  readonly fields: readonly (readonly [string, FieldType])[];
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
  }));
  return { byPlace, byName: new Map(byPlace.map((columns) => [columns.kind, columns])) };
}

/**
 * Append a batch of stamped events: envelope columns (kind, seq, tick, source, within, cause), then for each kind that
 * occurs its number, count and columns.
 */
export function writeEvents(out: ByteWriter, batch: readonly Stamped[], kinds: KindTable, room: Scratch): void {
  const count = batch.length;
  writeVarint(out, count);
  if (count === 0) return;
  const groups = new Map<KindColumns, Readonly<Row>[]>();
  const { values } = room;
  for (let i = 0; i < count; i += 1) {
    const { event } = batch[i];
    const columns = kinds.byName.get(event.kind) as KindColumns;
    values[i] = columns.place;
    const rows = groups.get(columns);
    if (rows === undefined) groups.set(columns, [event]);
    else rows.push(event);
  }
  writeIntegers(out, values, count);
  writeEnvelope(out, batch, room);
  writeVarint(out, groups.size);
  for (const [{ place, fields }, rows] of groups) {
    writeVarint(out, place);
    writeVarint(out, rows.length);
    for (const [name, type] of fields) writeColumn(out, type, rows, name, room);
  }
}

function writeEnvelope(out: ByteWriter, batch: readonly Stamped[], { values }: Scratch): void {
  const count = batch.length;
  for (let i = 0; i < count; i += 1) values[i] = batch[i].seq;
  // Sequence numbers mostly climb by one: written as the gaps, which are then all equal.
  writeGaps(out, values, count);
  for (let i = 0; i < count; i += 1) values[i] = batch[i].tick;
  writeGaps(out, values, count);
  for (let i = 0; i < count; i += 1) values[i] = batch[i].source;
  writeIntegers(out, values, count);
  for (let i = 0; i < count; i += 1) {
    const { seq, within } = batch[i];
    values[i] = within === undefined ? NO_EVENT : seq - within;
  }
  writeIntegers(out, values, count);
  for (let i = 0; i < count; i += 1) values[i] = causeColumn(batch[i]);
  writeIntegers(out, values, count);
}

/** Distances to earlier events begin at 1. */
const NO_EVENT = 0;
/** Most events are caused by what they happened within. */
const AS_WITHIN = -1;

function causeColumn({ seq, cause, within }: Stamped): number {
  if (cause === undefined) return NO_EVENT;
  return cause === within ? AS_WITHIN : seq - cause;
}

function writeGaps(out: ByteWriter, values: Float64Array, count: number): void {
  const first = values[0];
  for (let i = count - 1; i > 0; i -= 1) values[i] -= values[i - 1];
  values[0] = count > 1 ? values[1] : 0;
  writeVarint(out, first);
  writeIntegers(out, values, count);
}

function readGaps(input: ByteReader, values: Float64Array, count: number): void {
  const first = readVarint(input);
  readIntegers(input, values, count);
  values[0] = first;
  for (let i = 1; i < count; i += 1) values[i] += values[i - 1];
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
export function readKinds(payload: Uint8Array): Float64Array {
  const input = byteReader(payload);
  const places = new Float64Array(readVarint(input));
  if (places.length > 0) readIntegers(input, places, places.length);
  return places;
}

/** Envelope columns of a format version: the first had one link, to what an event happened within. */
export type Links = 'within and cause' | 'within';

/** The batch `writeEvents` appended. */
export function readEvents(payload: Uint8Array, kinds: KindTable, links: Links): RecordedEvent[] {
  const input = byteReader(payload);
  const count = readVarint(input);
  if (count === 0) return [];
  const room = scratch(count);
  const places = new Float64Array(count);
  const seqs = new Float64Array(count);
  const ticks = new Float64Array(count);
  const sources = new Float64Array(count);
  const withins = new Float64Array(count);
  const causes = new Float64Array(count).fill(AS_WITHIN);
  readIntegers(input, places, count);
  readGaps(input, seqs, count);
  readGaps(input, ticks, count);
  readIntegers(input, sources, count);
  readIntegers(input, withins, count);
  if (links === 'within and cause') readIntegers(input, causes, count);
  const rows = readRows(input, kinds, room);
  const next = new Map<number, number>();
  return Array.from({ length: count }, (_, i) => {
    const at = next.get(places[i]) ?? 0;
    next.set(places[i], at + 1);
    const event = (rows.get(places[i]) as Row[])[at] as RecordedEvent['event'];
    const within = withins[i] === NO_EVENT ? undefined : seqs[i] - withins[i];
    const earlier = causes[i] === NO_EVENT ? undefined : seqs[i] - causes[i];
    const cause = causes[i] === AS_WITHIN ? within : earlier;
    return { seq: seqs[i], tick: ticks[i], source: sources[i], cause, within, event };
  });
}

function readRows(input: ByteReader, kinds: KindTable, room: Scratch): Map<number, Row[]> {
  const rows = new Map<number, Row[]>();
  for (let left = readVarint(input); left > 0; left -= 1) {
    const place = readVarint(input);
    const { kind, fields } = kinds.byPlace[place];
    const group: Row[] = Array.from({ length: readVarint(input) }, () => ({ kind }));
    for (const [name, type] of fields) readColumn(input, type, group, name, room);
    rows.set(place, group);
  }
  return rows;
}
