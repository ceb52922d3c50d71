import type { Draft } from '../base/draft.ts';
import type { Stamped } from '../events/stamped.ts';
import { evolve } from '../reducers/evolve.ts';
import { powerOn } from '../reducers/power-on.ts';
import { differingSlices, digestSlices, slicesOf } from '../reducers/slices.ts';
import type { MachineState } from '../reducers/state.ts';
import type { MachineConfig } from '../vmm/config.ts';

/** Where the state that follows from the events is not the one that was recorded. */
export interface FoldDifference {
  readonly seq: number;
  readonly tick: number;
  /** Names of the slices that differ. */
  readonly slices: readonly string[];
}

/** What a fold came to. */
export interface Folded {
  /** The state after the last event. */
  readonly state: MachineState;
  readonly events: number;
  /** Digests of all slices that were equal. */
  readonly digests: number;
  readonly difference: FoldDifference | undefined;
}

/**
 * The state of hypervisor, devices, clock and schedule that follows from recorded events by the table of reducers
 * alone: without a processor, without images, without whoever decided. Each recorded digest is compared, slice by
 * slice; the fold ends at the first that differs. `progress` hears how many events are done.
 */
export function fold(
  recorded: Iterable<Stamped>,
  made: Omit<MachineConfig, 'parts'>,
  progress: (events: number) => void = () => undefined,
): Folded {
  const state = powerOn(made);
  const slices = slicesOf(state.config);
  let events = 0;
  let digests = 0;
  for (const stamped of recorded) {
    evolve(state as Draft<MachineState>, stamped);
    events += 1;
    if (stamped.event.kind !== 'sim:digest') continue;
    progress(events);
    const differing = differingSlices(state.config, stamped.event.slices, digestSlices(state, slices));
    if (differing.length > 0) {
      const { seq, tick } = stamped;
      return { state, events, digests, difference: { seq, tick, slices: differing } };
    }
    digests += 1;
  }
  return { state, events, digests, difference: undefined };
}
