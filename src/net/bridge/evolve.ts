import type { DeviceReducer } from '../../devices/device.ts';
import type { BridgeState, PortState } from './state.ts';

export const BRIDGE_REDUCER: DeviceReducer<BridgeState> = {
  facts: {
    'sim:bridge_learned'(state, { mac, port, at }) {
      state.fdb[mac] = { port, updated: at };
    },
    'sim:bridge_moved'(state, { mac, port, at }) {
      state.fdb[mac] = { port, updated: at };
    },
    'sim:bridge_aged'(state, { mac }) {
      delete state.fdb[mac];
    },
    'sim:bridge_forwarded'(state, { mac, at, until }) {
      const entry = Object.hasOwn(state.fdb, mac) ? state.fdb[mac] : undefined;
      if (entry !== undefined) entry.updated = at;
      state.busyUntil = Math.max(state.busyUntil, until);
    },
    'sim:bridge_port'(state, { kind: _kind, bridge: _bridge, ifname, ...tree }) {
      state.ports[ifname] = { ...tree, state: tree.state as PortState };
    },
    'sim:bridge_tree'(state, { kind: _kind, bridge: _bridge, ...tree }) {
      state.tree = tree;
    },
  },
};

/** The interface of a port's net client. */
export const ifnameOf = (client: string): string => client.slice(client.indexOf('/') + 1);
