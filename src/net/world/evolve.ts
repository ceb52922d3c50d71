/** What facts do to a world. */
import type { FactReducers } from '../../devices/device.ts';
import type { WorldState } from './state.ts';

export const WORLD_FACTS: FactReducers<{ readonly world: WorldState }> = {
  'sim:powered_on'({ world }, { wall_clock }) {
    world.wallClock = wall_clock;
  },
  'sim:call_made'({ world }, { call }) {
    if (call in world.calls) world.calls[call] = undefined;
  },
  'sim:call_failed'({ world }, { call, next }) {
    if (call in world.calls) world.calls[call] = next === 0 ? undefined : next;
  },
};
