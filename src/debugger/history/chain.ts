/** What made an event, what made that, and so on; and what each of them did to the state. */
import type { EventKind } from '../../events/vocabulary.ts';
import type { Stamped } from '../../events/stamped.ts';
import { reduce } from '../../reducers/evolve.ts';
import type { MachineState } from '../../reducers/state.ts';
import { pathTo } from '../../replay/export/chain.ts';
import { foldOn } from '../../replay/fold.ts';
import { type FieldDifference, stateDifferences } from './state-difference.ts';

/** An event, and every field of the state that has another value after it than before. */
export interface Effect {
  readonly stamped: Stamped;
  readonly changed: readonly FieldDifference[];
}

/** An event and all that led to it, the first cause first. `events`: a run's, from its first. */
export const chainOf = (events: readonly Stamped[], { seq }: Stamped): Stamped[] =>
  pathTo(seq, (each) => events[each]?.cause).map((each) => events[each] as Stamped);

/** The first interrupt that came to a processor by a line which a timer had moved, with all that led to it. */
export const timerInterrupt = (events: readonly Stamped[]): Stamped[] | undefined =>
  interruptBehind(events, ['sim:timer_fire', 'kvm_set_irq']);

/** The first interrupt of a disk's queue, with all that led to it. */
export const diskInterrupt = (events: readonly Stamped[]): Stamped[] | undefined =>
  interruptBehind(events, ['kvm_exit', 'sim:disk_completed', 'kvm_msi_set_irq']);

/** The first that has an event of each kind among its causes. */
function interruptBehind(events: readonly Stamped[], kinds: readonly EventKind[]): Stamped[] | undefined {
  for (const stamped of events) {
    if (stamped.event.kind !== 'kvm_inj_virq') continue;
    const chain = chainOf(events, stamped);
    if (kinds.every((kind) => chain.some(({ event }) => event.kind === kind))) return chain;
  }
  return undefined;
}

/** What events of a run changed. `first`: the state before the run's first event; `chosen`: in the order of the run. */
export function effectsOf(first: MachineState, events: readonly Stamped[], chosen: readonly Stamped[]): Effect[] {
  let state = first;
  return chosen.map((stamped) => {
    const { seq } = stamped;
    if (seq > state.at.seq + 1) state = foldOn(state, events.slice(state.at.seq + 1, seq), seq - 1);
    const before = state;
    state = reduce(before, stamped);
    return { stamped, changed: stateDifferences(before, state) };
  });
}
