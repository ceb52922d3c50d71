/** What made an event, what made that, and so on; and what each of them did to the state. */
import type { Stamped } from '../../events/stamped.ts';
import { reduce } from '../../reducers/evolve.ts';
import type { MachineState } from '../../reducers/state.ts';
import { foldOn } from '../../replay/fold.ts';
import { type FieldDifference, stateDifferences } from './state-difference.ts';

/** An event, and every field of the state that has another value after it than before. */
export interface Effect {
  readonly stamped: Stamped;
  readonly changed: readonly FieldDifference[];
}

/** An event and all that led to it, the first cause first. `events`: a run's, from its first. */
export function chainOf(events: readonly Stamped[], last: Stamped): Stamped[] {
  const chain: Stamped[] = [];
  for (let link: Stamped | undefined = last; link !== undefined; link = causeOf(events, link)) chain.unshift(link);
  return chain;
}

const causeOf = (events: readonly Stamped[], { cause }: Stamped): Stamped | undefined =>
  cause === undefined ? undefined : events[cause];

/** The first interrupt that came to a processor by a line which a timer had moved, with all that led to it. */
export function timerInterrupt(events: readonly Stamped[]): Stamped[] | undefined {
  for (const stamped of events) {
    if (stamped.event.kind !== 'kvm_inj_virq') continue;
    const chain = chainOf(events, stamped);
    const kinds = new Set(chain.map(({ event }) => event.kind));
    if (kinds.has('sim:timer_fire') && kinds.has('kvm_set_irq')) return chain;
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
