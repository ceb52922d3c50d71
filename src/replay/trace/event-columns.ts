import type { FieldType } from '../../events/schema.ts';
import type { Row, Said } from './columns.ts';
import type { RecordedVocabulary } from './header.ts';
import { type FieldPlace, inTellingOrder, type Teller, type TellerAt, tellersOf } from './told.ts';

/** A kind's place in the trace and its columns. */
export interface KindColumns {
  readonly kind: string;
  readonly place: number;
  readonly fields: readonly (readonly [string, FieldType])[];
  /** By field, those that told it. */
  readonly tellers: readonly (readonly FieldPlace[])[];
  /** An event of the kind, to be copied: objects that have all their fields from the start are four times as fast. */
  readonly blank: Row;
}

/** The kinds of a trace, by name and by place. Kinds keep the order of the header's vocabulary. */
export interface KindTable {
  readonly byName: ReadonlyMap<string, KindColumns>;
  readonly byPlace: readonly KindColumns[];
  /** In the order they are written. */
  readonly inOrder: readonly KindColumns[];
}

/** Kinds numbered in the order of a vocabulary. */
export function kindTable(vocabulary: RecordedVocabulary): KindTable {
  const named = Object.entries(vocabulary).map(([kind, fields]) => ({ kind, fields: Object.entries(fields) }));
  const byPlace = named.map(({ kind, fields }, place) => ({
    ...{ kind, place, fields, tellers: tellersOf({ kind, fields }, named) },
    blank: { kind, ...Object.fromEntries(fields.map(([name]) => [name, undefined])) },
  }));
  const tellers = byPlace.map((columns) => columns.tellers);
  const inOrder = inTellingOrder(tellers).map((place) => byPlace[place]!);
  return { byPlace, byName: new Map(byPlace.map((columns) => [columns.kind, columns])), inOrder };
}

/** A kind's columns as far as they are known, and the places of its events. */
export interface KnownColumns {
  readonly events: Uint32Array;
  readonly said: (Said | undefined)[];
}

/** How to find the columns that tell others: their low and their high halves. */
export function tellersAmong(
  said: readonly (KnownColumns | undefined)[],
  gap: Teller,
): readonly [low: TellerAt, high: TellerAt] {
  const at =
    (half: 'low' | 'high'): TellerAt =>
    ({ kind, field }) => {
      if (kind === said.length && half === 'low') return gap;
      const columns = said[kind];
      const numbers = columns?.said[field]?.[half];
      return numbers && columns && { events: columns.events, numbers };
    };
  return [at('low'), at('high')];
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
  for (let i = 0; i < count; i += 1) starts[places[i]! + 1]! += 1;
  for (let kind = 1; kind <= kindCount; kind += 1) starts[kind]! += starts[kind - 1]!;
  const next = starts.slice();
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) order[next[places[i]!]!++] = i;
  return { order, starts };
}
