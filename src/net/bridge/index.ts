import type { Device } from '../../devices/device.ts';
import type { Driver } from '../../devices/driver.ts';
import { BRIDGE_REDUCER } from './evolve.ts';
import { age, AGEING, receive } from './forward.ts';
import { expireTree, startTree, treeTimers } from './tree.ts';
import { bridgeAtReset, type BridgeSetup, type BridgeState } from './state.ts';

export type { BridgeSetup, BridgeState } from './state.ts';

/** A bridge of the modelled Linux: it learns where stations are, and hands frames on. */
function bridge(setup: BridgeSetup): Device<BridgeState> {
  return {
    model: 'bridge',
    regions: [],
    pins: [],
    timers: [AGEING, ...(setup.stp ? treeTimers(setup) : [])],
    powerOn: (state, effects) => (setup.stp ? startTree({ setup, state, effects }) : undefined),
    read: () => 0,
    takesHeaders: true,
    takesShort: true,
    receivePacket(state, packet, effects) {
      receive({ setup, state, effects }, packet);
      return true;
    },
    expire(state, timer, effects) {
      if (timer === AGEING) age({ setup, state, effects });
      else expireTree({ setup, state, effects }, timer);
    },
    describe: ({ fdb }) => ({
      ports: setup.interfaces.join(', ') || 'none',
      addresses: `${Object.keys(fdb).length}`,
    }),
  };
}

export const driver: Driver<BridgeState, BridgeSetup> = {
  name: 'bridge',
  description: 'A bridge of the modelled Linux',
  bus: 'System',
  category: 'Network',
  create: bridge,
  atReset: bridgeAtReset,
  reducer: BRIDGE_REDUCER,
};
