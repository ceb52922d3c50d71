import type { Stamped } from '../../events/stamped.ts';
import type { Row } from './columns.ts';
import { type Envelope, NO_EVENT } from './envelope.ts';
import type { KindColumns, KindTable } from './event-columns.ts';
import { HeldColumn } from './held-column.ts';

/** Events of a kind that there is room for at first. */
const FIRST_ROOM = 64;

/** Events of one kind that wait to be written. */
export class HeldKind {
  readonly kind: KindColumns;
  /** In the order of the vocabulary. */
  readonly columns: readonly HeldColumn[];
  /** The same as events have them, mostly. */
  private inTurn: readonly HeldColumn[] | undefined;
  private count = 0;
  private room = 0;

  constructor(kind: KindColumns) {
    this.kind = kind;
    this.columns = kind.fields.map(([name, type]) => new HeldColumn(name, type));
  }

  take(event: Readonly<Row>): void {
    if (this.count === this.room) this.grow();
    const row = this.count;
    this.count += 1;
    this.inTurn ??= this.inTurnOf(event);
    const { inTurn } = this;
    let at = 0;
    // Fields one after the other, as the object has them, cost a tenth of looking each up by its name.
    for (const name in event) {
      if (name === 'kind') continue;
      const column = inTurn[at];
      if (column === undefined || column.name !== name) break;
      column.put(row, event[name]);
      at += 1;
    }
    if (at !== inTurn.length) for (const column of this.columns) column.put(row, event[column.name]);
  }

  private inTurnOf(event: Readonly<Row>): readonly HeldColumn[] {
    const names = Object.keys(event);
    const turn = ({ name }: HeldColumn): number => names.indexOf(name);
    return this.columns.toSorted((one, other) => turn(one) - turn(other));
  }

  private grow(): void {
    this.room = Math.max(FIRST_ROOM, 2 * this.room);
    for (const column of this.columns) column.grow(this.room);
  }

  clear(): void {
    if (this.count === 0) return;
    this.count = 0;
    for (const column of this.columns) column.clear();
  }
}

/**
 * Events that wait to be written, taken apart into columns as they come: kept as objects until there are enough of
 * them, each would outlive a collection of garbage, which costs more than all else that recording does.
 */
export class HeldEvents implements Envelope {
  /** By the kind's place in the trace. */
  readonly kinds: readonly HeldKind[];
  /** By event, its kind's place. */
  readonly places: Uint32Array;
  readonly seqs: Float64Array;
  readonly ticks: Float64Array;
  readonly sources: Float64Array;
  readonly withins: Float64Array;
  readonly causes: Float64Array;
  count = 0;
  private readonly byName: ReadonlyMap<string, HeldKind>;

  /** Room for up to `limit` events. */
  constructor({ byPlace }: KindTable, limit: number) {
    this.kinds = byPlace.map((kind) => new HeldKind(kind));
    this.byName = new Map(this.kinds.map((held) => [held.kind.kind, held]));
    this.places = new Uint32Array(limit);
    this.seqs = new Float64Array(limit);
    this.ticks = new Float64Array(limit);
    this.sources = new Float64Array(limit);
    this.withins = new Float64Array(limit);
    this.causes = new Float64Array(limit);
  }

  take({ seq, tick, source, cause = NO_EVENT, within = NO_EVENT, event }: Stamped): void {
    const at = this.count;
    const held = this.byName.get(event.kind) as HeldKind;
    this.places[at] = held.kind.place;
    this.seqs[at] = seq;
    this.ticks[at] = tick;
    this.sources[at] = source;
    this.withins[at] = within;
    this.causes[at] = cause;
    held.take(event);
    this.count = at + 1;
  }

  /** They have been written. */
  clear(): void {
    for (const kind of this.kinds) kind.clear();
    this.count = 0;
  }
}
