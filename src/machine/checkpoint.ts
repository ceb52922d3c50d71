import type { ExecutionControls } from '../kvm/guest.ts';
import type { Machine } from './machine.ts';
import type { PageImage } from '../memory/pages.ts';
import { seal, thaw } from '../reducers/seal.ts';
import type { MachineState } from '../reducers/state.ts';

/** A retained machine at a mark. Immutable; shares every unchanged page and part of the state with its neighbours. */
export interface Checkpoint {
  readonly seq: number;
  readonly tick: number;
  readonly state: MachineState;
  readonly pages: PageImage;
  readonly controls: readonly ExecutionControls[];
}

/** Keep the machine as it is now. `before` is the checkpoint to share with, best the latest. */
export function takeCheckpoint(machine: Machine, before?: Checkpoint): Checkpoint {
  const state = seal(before?.state, machine.state);
  const { schedule, clock } = state;
  const { controls } = machine;
  return { seq: schedule.seq, tick: clock.ticks, state, pages: machine.pages.image(), controls };
}

/** Make the machine what it was. It runs on to the same events and digests as it did then. */
export function restoreCheckpoint(machine: Machine, checkpoint: Checkpoint): void {
  machine.pages.restore(checkpoint.pages);
  machine.replaceState(thaw(checkpoint.state), checkpoint.controls);
}
