import type { Draft } from '../base/draft.ts';
import { Problem, shortly } from '../base/problem.ts';
import type { Seq, Tick } from '../base/units.ts';
import type { Stamped } from '../events/stamped.ts';
import { changesState, evolve, reduce } from '../reducers/evolve.ts';
import { powerOn } from '../reducers/power-on.ts';
import { seal, thaw } from '../reducers/seal.ts';
import { differingSlices, digestSlices, slicesOf } from '../reducers/slices.ts';
import type { MachineState } from '../reducers/state.ts';
import { TraceDamage } from './trace/damage.ts';
import type { MachineConfig } from '../vmm/config.ts';

/** Where the state that follows from the events is not the one that was recorded. */
export interface FoldDifference {
  readonly seq: Seq;
  readonly tick: Tick;
  /** Names of the slices that differ. */
  readonly slices: readonly string[];
}

/** What a fold came to. */
export interface Folded {
  /** The state after the last event. */
  readonly state: MachineState;
  /** How many events it took to get there, those that change nothing included. */
  readonly events: number;
  /** Digests of all slices that were equal. */
  readonly digests: number;
  readonly difference: FoldDifference | undefined;
  /** Why the events end early, if they do. */
  readonly damage: string | undefined;
}

/** Whether a fold has to see events of a kind: all others change nothing. */
export const isFolded = (kind: string): boolean => kind === 'sim:digest' || changesState(kind);

/**
 * The state of hypervisor, devices, clock and schedule that follows from recorded events by the table of reducers
 * alone: without a processor, without images, without whoever decided; `isFolded` says which events it needs. Each
 * recorded digest is compared, slice by slice; the fold ends at the first that differs. `progress` hears how many
 * events are done.
 */
export function fold(
  recorded: Iterable<Stamped>,
  made: Omit<MachineConfig, 'parts'>,
  progress: (events: number) => void = () => undefined,
): Folded {
  const state = powerOn(made);
  const folding = { state, events: 0, digests: 0 };
  const slices = slicesOf(state.config);
  try {
    for (const stamped of recorded) {
      follow(state, stamped);
      folding.events = stamped.seq + 1;
      if (stamped.event.kind !== 'sim:digest') continue;
      progress(folding.events);
      const differing = differingSlices(state.config, stamped.event.slices, digestSlices(state, slices));
      if (differing.length > 0) {
        const { seq, tick } = stamped;
        return { ...folding, difference: { seq, tick, slices: differing }, damage: undefined };
      }
      folding.digests += 1;
    }
    return { ...folding, difference: undefined, damage: undefined };
  } catch (problem) {
    if (!(problem instanceof TraceDamage)) throw problem;
    return { ...folding, difference: undefined, damage: problem.message };
  }
}

/**
 * The immutable state after the event `last`, or after the last there is, from an earlier one: `recorded` are the
 * events after it.
 */
export function foldOn(from: MachineState, recorded: Iterable<Stamped>, last: number): MachineState {
  const open = thaw(from) as MachineState;
  for (const stamped of recorded) {
    follow(open, stamped);
    if (stamped.seq >= last) break;
  }
  return seal(from, open);
}

/** Change an open state by a recorded event. Throws a Problem when the event cannot follow what came before it. */
function follow(state: MachineState, stamped: Stamped): void {
  try {
    evolve(state as Draft<MachineState>, stamped);
  } catch (error) {
    throw impossible(stamped, error);
  }
}

/** The immutable state after a recorded event. Throws as `follow` does. */
export function stateAfter(state: MachineState, stamped: Stamped): MachineState {
  try {
    return reduce(state, stamped);
  } catch (error) {
    throw impossible(stamped, error);
  }
}

function impossible({ seq, event }: Stamped, error: unknown): Problem {
  const why = shortly(error instanceof Error ? error.message : String(error));
  return new Problem(
    `Event ${seq}, ${event.kind}, cannot follow what came before it (${why}): ` +
      'the trace is damaged, or of another machine than it says.',
  );
}
