import type { Ns } from '../../base/units.ts';
import { callsOf, type World } from './world.ts';

/** What a world has come to, beside its connections. */
export interface WorldState {
  /** When each of its calls is made, or made again; undefined: no more. */
  readonly calls: readonly (Ns | undefined)[];
}

/** As it begins. */
export const worldAtReset = (world: World | undefined): WorldState => ({
  calls: callsOf(world).map(({ call }) => call.at),
});
