/** What facts do to a world. */
import type { FactReducers } from '../../devices/device.ts';
import type { TcpState } from '../tcp/state.ts';
import type { WorldState } from './state.ts';

export const WORLD_FACTS: FactReducers<{ readonly world: WorldState; readonly tcp: TcpState }> = {
  'sim:powered_on'({ world }, { wall_clock }) {
    world.wallClock = wall_clock;
  },
  'sim:call_made'({ world }, { call, next }) {
    if (call in world.calls) world.calls[call] = next === 0 ? undefined : next;
  },
  /** Somebody answered. */
  'sim:tcp_established'({ world, tcp }, { connection }) {
    const app = tcp.connections[connection]?.app;
    if (app?.kind === 'script' && app.call in world.calls) world.calls[app.call] = undefined;
  },
};
