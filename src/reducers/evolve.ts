import { freeze, produce } from 'immer';
import type { Draft } from '../base/draft.ts';
import type { Stamped } from '../events/stamped.ts';
import type { EventKind } from '../events/vocabulary.ts';
import type { Row } from './row.ts';
import type { MachineState } from './state.ts';
import { REDUCERS } from './table/index.ts';

const rowOf = (kind: EventKind): Row<EventKind> => REDUCERS[kind] as Row<EventKind>;

/** The only way in which the state of a machine changes: as the table says, when a fact is raised. */
export function evolve(state: Draft<MachineState>, stamped: Stamped): void {
  const { seq, tick, event } = stamped;
  state.at.seq = seq;
  state.at.tick = tick;
  for (const change of rowOf(event.kind).changes) change(state, event, stamped);
}

/**
 * The state after an event: immutable, sharing with the one before all that did not change. Start from `powerOn`.
 */
export function reduce(state: MachineState, stamped: Stamped): MachineState {
  const { seq, tick, event } = stamped;
  const { changes, isIdle } = rowOf(event.kind);
  if (changes.length > 0 && isIdle?.(state, event) !== true) return produce(state, (draft) => evolve(draft, stamped));
  return freeze({ ...state, at: { seq, tick } }, false);
}
