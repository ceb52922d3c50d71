import { freeze, produce } from 'immer';
import type { Draft } from '../base/draft.ts';
import type { Stamped } from '../events/stamped.ts';
import { bytesFields, type EventKind } from '../events/vocabulary.ts';
import { bitsOf, type Change, type Row } from './row.ts';
import type { MachineConfig } from '../vmm/config.ts';
import type { MachineState, Place } from './state.ts';
import { REDUCERS } from './table/index.ts';
import { thaw } from './seal.ts';

/** A row of the table, with what is asked of every event of its kind besides. */
export interface KindRow extends Row<EventKind> {
  /** Fields that hold bytes: unlike all others they can be changed by whoever has the event. */
  readonly bytes: readonly string[];
}

/** The table, to be looked up for every event. */
const ROWS: ReadonlyMap<string, KindRow> = new Map(
  (Object.entries(REDUCERS) as [EventKind, Row<EventKind>][]).map(([kind, row]) => [
    kind,
    { ...row, bytes: bytesFields(kind) },
  ]),
);

/** The row of a kind. */
export const rowOf = (kind: EventKind): KindRow => ROWS.get(kind) as KindRow;

/**
 * The only way in which the state of a machine changes: as the table says, when a fact is raised. Returns whose state
 * may have changed, as bits.
 */
export function evolve(state: Draft<MachineState>, stamped: Stamped, row = rowOf(stamped.event.kind)): number {
  const { at } = state;
  at.seq = stamped.seq;
  at.tick = stamped.tick;
  change(state, stamped, row, state.config as MachineConfig);
  return row.ownerBits;
}

function change(
  state: Draft<MachineState>,
  stamped: Stamped,
  { changes }: Row<EventKind>,
  config: MachineConfig,
): void {
  for (let i = 0; i < changes.length; i += 1) {
    (changes[i] as Change<EventKind>)(state, stamped.event, stamped, config);
  }
}

/**
 * Make an open state what another was. No event of the run: whoever stands in it elsewhere, or goes on from a place it
 * once came to, numbers what follows as it was numbered then.
 */
export function restore(open: Draft<MachineState>, state: MachineState): void {
  Object.assign(open, thaw(state));
}

/**
 * The state after an event: immutable, sharing with the one before all that did not change. Start from `powerOn`.
 */
export function reduce(state: MachineState, stamped: Stamped): MachineState {
  const { seq, tick, event } = stamped;
  const row = rowOf(event.kind);
  const at = freeze({ seq, tick });
  if (row.changes.length === 0 || row.isIdle?.(state, event) === true) return freeze({ ...state, at });
  if ((row.ownerBits & ~OF_PROCESSORS) === 0) return reduceProcessors(state, at, stamped, row);
  return produce(state, (draft) => {
    draft.at = at;
    // A draft of the configuration would be made for nothing: no event changes it.
    change(draft, stamped, row, state.config);
  });
}

const OF_PROCESSORS = bitsOf('clock', 'vcpus');

/**
 * The same for facts of vCPUs, which are most of a run: what is above the vCPUs is copied here, since a draft of each
 * level costs as much as the change itself. All else is frozen: a row that would change it throws.
 */
function reduceProcessors(state: MachineState, at: Place, stamped: Stamped, row: Row<EventKind>): MachineState {
  const { kvm } = state;
  let { clock } = state;
  const vcpus = produce(kvm.vcpus, (draft) => {
    const open = freeze({ ...state, at, clock: { ...clock }, kvm: freeze({ ...kvm, vcpus: draft }) });
    change(open as Draft<MachineState>, stamped, row, state.config);
    if (open.clock.warpedNs !== clock.warpedNs) clock = freeze(open.clock);
  });
  return freeze({ ...state, at, clock, kvm: vcpus === kvm.vcpus ? kvm : freeze({ ...kvm, vcpus }) });
}
