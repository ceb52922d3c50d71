import type { Seq, Tick } from '../base/units.ts';
import type { PageImage } from '../memory/pages.ts';
import { seal } from '../reducers/seal.ts';
import type { MachineState } from '../reducers/state.ts';
import type { Machine } from './machine.ts';

/** A retained machine at a mark. Immutable; shares every unchanged page and part of the state with its neighbours. */
export interface Checkpoint {
  /** Sequence number of the event that comes next. */
  readonly seq: Seq;
  readonly tick: Tick;
  readonly state: MachineState;
  readonly pages: PageImage;
}

/** Keep the machine as it is now. `before` is the checkpoint to share with, best the latest. */
export function takeCheckpoint(machine: Machine, before?: Checkpoint): Checkpoint {
  const { seq, ticks: tick, pages } = machine;
  return { seq, tick, state: seal(before?.state, machine.state), pages: pages.image() };
}

/** Make the machine what it was. It runs on to the same events and digests as it did then. */
export function restoreCheckpoint(machine: Machine, { state, tick, pages }: Checkpoint): void {
  machine.pages.restore(pages);
  machine.restore(state, tick);
}
