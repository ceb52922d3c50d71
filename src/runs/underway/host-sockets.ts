/** Sockets of the host that a run has while it is under way. */
import type { Stamped } from '../../events/stamped.ts';
import type { InputEvent } from '../../machine/parts.ts';
import type { RunOptions } from '../machine/run-options.ts';
import type { World } from '../world.ts';

/** The state of a device, by its name. */
export type StateOf = (dev: string) => unknown;

/** A reader of a run that speaks with the host's network. */
export interface HostSockets {
  /** Somebody outside may be about to say something: a guest that idles waits for it in real time. */
  readonly isAwaited: boolean;
  /** Where inputs go, how many of them wait there, whom to rouse for them, and what the state of a device is. */
  join(send: (event: InputEvent) => void, count: () => number, rouse: () => void, stateOf: StateOf): void;
  next(stamped: Stamped): void;
  /** What a person is to be told, since the last time. */
  takeNotices(): readonly string[];
  close(): void;
}

/** Who opens what a run's options ask for: undefined if that is nothing. Throws a Problem. */
export type OpenSockets = (
  world: Pick<World, 'network' | 'milliseconds'>,
  options: RunOptions,
) => Promise<HostSockets | undefined>;

/** All of them as one. */
export const together = (all: readonly HostSockets[]): HostSockets => ({
  get isAwaited() {
    return all.some(({ isAwaited }) => isAwaited);
  },
  join: (...to) => all.forEach((each) => each.join(...to)),
  next: (stamped) => all.forEach((each) => each.next(stamped)),
  takeNotices: () => all.flatMap((each) => each.takeNotices()),
  close: () => all.forEach((each) => each.close()),
});
