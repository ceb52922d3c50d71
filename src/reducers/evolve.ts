import type { Draft } from '../base/draft.ts';
import type { Stamped } from '../events/stamped.ts';
import { bytesFields, type EventKind } from '../events/vocabulary.ts';
import { bitsOf, type Change, type Row, vcpuNamed } from './row.ts';
import type { VcpuState } from '../kvm/state.ts';
import type { MachineConfig } from '../vmm/config.ts';
import type { MachineState, Place } from './state.ts';
import { REDUCERS } from './table/index.ts';
import { changed, changedNear, thaw } from './seal.ts';

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

/** Whether events of a kind, one of today's or of whenever, may change anything. */
export const changesState = (kind: string): boolean => (ROWS.get(kind as EventKind)?.changes.length ?? 0) > 0;

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
  const at = Object.freeze({ seq, tick });
  if (row.changes.length === 0 || row.isIdle?.(state, event) === true) return Object.freeze({ ...state, at });
  if ((row.ownerBits & ~CLOCK) === OF_VCPU) return reduceVcpu(state, at, stamped, row);
  return changed(state, (draft) => {
    draft.at = at;
    // A draft of the configuration would be made for nothing: no event changes it.
    change(draft, stamped, row, state.config);
  });
}

const OF_VCPU = bitsOf('vcpu');
const CLOCK = bitsOf('clock');

/**
 * The same for facts of one vCPU, which are most of a run: what is above the vCPU is copied here, since a draft of each
 * level costs as much as the change itself. All else is frozen: a row that would change it throws.
 */
function reduceVcpu(state: MachineState, at: Place, stamped: Stamped, row: Row<EventKind>): MachineState {
  const { clock, kvm, config } = state;
  const index = vcpuNamed(stamped.event, stamped);
  const before = kvm.vcpus[index] as VcpuState | undefined;
  if (before === undefined) throw new RangeError(`there is no vCPU ${index}`);
  const vcpus = kvm.vcpus.slice();
  const open = { ...state, at, clock: (row.ownerBits & CLOCK) === 0 ? clock : { ...clock }, kvm: { ...kvm, vcpus } };
  const changing = (draft: Draft<VcpuState>): void => {
    vcpus[index] = draft;
    change(open as Draft<MachineState>, stamped, row, config);
  };
  const reach = row.reaches?.(before, stamped.event);
  vcpus[index] = reach === undefined ? changed(before, changing) : changedNear(before, reach, changing);
  Object.freeze(vcpus);
  if (vcpus[index] === before) open.kvm = kvm as typeof open.kvm;
  else Object.freeze(open.kvm);
  Object.freeze(open.clock);
  return Object.freeze(open);
}
