import type { Observable } from 'rxjs';
import type { Stamped } from '../events/stamped.ts';
import type { MachineState } from '../reducers/state.ts';
import type { Hold } from '../replay/streams/hold.ts';
import type { ImageIdentity } from '../replay/trace/header.ts';
import type { MachineDescription } from './machine/machine-description.ts';
import type { EventMark, Moment } from './moment.ts';

/** What a run was made as. */
export interface RunDescription {
  readonly machine: MachineDescription;
  readonly images: readonly ImageIdentity[];
  readonly seed: string;
}

/** A run as streams, whether it was recorded or is under way. */
export interface Opened {
  /** Every event, in order, once the state has changed by it. What is done to an event nobody else sees. */
  readonly events$: Observable<Stamped>;
  /** The state after each event: `state.at.seq` is its number. Immutable; what did not change is shared. */
  readonly states$: Observable<MachineState>;
  /** The machine as it was just after an event. Throws a Problem for an event the run does not have. */
  at(mark: EventMark): Moment;
  describe(): RunDescription;
  /** Events stand still, and with them a machine under way, until the hold is released. */
  hold(): Hold;
  /** End the streams and close the files. Again: nothing. */
  close(): void;
}
