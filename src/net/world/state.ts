import type { Ns } from '../../base/units.ts';
import { callsOf, type World } from './world.ts';

/** What a world has come to, beside its connections. */
export interface WorldState {
  /** When each of its calls is made, or made again; undefined: no more. */
  readonly calls: readonly (Ns | undefined)[];
  /** The time of day at power-on, where the world does not say another: nanoseconds since 1970. */
  readonly wallClock: bigint;
}

/** As it begins. */
export const worldAtReset = (world: World | undefined): WorldState => ({
  calls: callsOf(world).map(({ call }) => call.at),
  wallClock: 0n,
});
