import { type Observable, Subject } from 'rxjs';
import type { Stamped } from '../../events/stamped.ts';
import type { Machine } from '../../machine/machine.ts';
import { seal } from '../../reducers/seal.ts';
import type { MachineState } from '../../reducers/state.ts';

/** A run to watch: the read side only. Nothing a subscriber does changes the order of events. */
export interface History {
  /** Every event, as it is recorded. */
  readonly events: Observable<Stamped>;
  /** Immutable states, one for each time the machine was left at rest. */
  readonly states: Observable<MachineState>;
  /** A recorder's `watch`. */
  publish(stamped: Stamped): void;
  /** The machine is at rest: seal its state, if anybody looks. */
  rest(machine: Machine): void;
  end(): void;
}

/** A history that nobody watches yet. Unwatched it costs one test per event. */
export function createHistory(): History {
  const events = new Subject<Stamped>();
  const states = new Subject<MachineState>();
  let sealed: MachineState | undefined;
  return {
    events: events.asObservable(),
    states: states.asObservable(),
    publish(stamped) {
      if (events.observed) events.next(stamped);
    },
    rest(machine) {
      if (!states.observed) return;
      sealed = seal(sealed, machine.state);
      states.next(sealed);
    },
    end() {
      events.complete();
      states.complete();
    },
  };
}
