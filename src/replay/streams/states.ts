import { distinctUntilChanged, map, type Observable, scan } from 'rxjs';
import type { Stamped } from '../../events/stamped.ts';
import type { MachineState } from '../../reducers/state.ts';
import { stateAfter } from '../fold.ts';

/** The state after each event. `first`: the state after the first that comes. */
export const statesOf = (
  events: Observable<Stamped>,
  first: (stamped: Stamped) => MachineState,
): Observable<MachineState> =>
  events.pipe(
    scan(
      (state: MachineState | undefined, stamped: Stamped) =>
        state === undefined ? first(stamped) : stateAfter(state, stamped),
      undefined,
    ),
    map((state) => state as MachineState),
  );

/** A part of the states, each time it has become another. */
export const slice$ = <T>(states: Observable<MachineState>, of: (state: MachineState) => T): Observable<T> =>
  states.pipe(map(of), distinctUntilChanged());
