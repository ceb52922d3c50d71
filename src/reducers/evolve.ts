import { freeze, produce } from 'immer';
import type { Draft } from '../base/draft.ts';
import type { Stamped } from '../events/stamped.ts';
import type { EventKind } from '../events/vocabulary.ts';
import type { Change, Row } from './row.ts';
import type { MachineState } from './state.ts';
import { REDUCERS } from './table/index.ts';

/** The table, to be looked up for every event. */
const ROWS: ReadonlyMap<string, Row<EventKind>> = new Map(Object.entries(REDUCERS) as [string, Row<EventKind>][]);

const rowOf = (kind: EventKind): Row<EventKind> => ROWS.get(kind) as Row<EventKind>;

/**
 * The only way in which the state of a machine changes: as the table says, when a fact is raised. Returns whose state
 * may have changed, as bits.
 */
export function evolve(state: Draft<MachineState>, stamped: Stamped): number {
  const { seq, tick, event } = stamped;
  const { at } = state;
  at.seq = seq;
  at.tick = tick;
  const { changes, ownerBits } = rowOf(event.kind);
  for (let i = 0; i < changes.length; i += 1) (changes[i] as Change<EventKind>)(state, event, stamped);
  return ownerBits;
}

/**
 * The state after an event: immutable, sharing with the one before all that did not change. Start from `powerOn`.
 */
export function reduce(state: MachineState, stamped: Stamped): MachineState {
  const { seq, tick, event } = stamped;
  const { changes, isIdle } = rowOf(event.kind);
  if (changes.length > 0 && isIdle?.(state, event) !== true)
    return produce(state, (draft) => void evolve(draft, stamped));
  return freeze({ ...state, at: { seq, tick } }, false);
}
