import type { Draft } from '../../base/draft.ts';
import type { DeviceReducer } from '../../devices/device.ts';
import type { BridgeState, PortCount } from './state.ts';

function count(way: Draft<PortCount> | undefined, bytes: number): void {
  if (way === undefined) return;
  way.packets += 1;
  way.bytes += bytes;
}

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
    'sim:bridge_forwarded'(state, { from, to, mac, len, at, until }) {
      const entry = Object.hasOwn(state.fdb, mac) ? state.fdb[mac] : undefined;
      if (entry !== undefined) entry.updated = at;
      state.busyUntil = Math.max(state.busyUntil, until);
      count(state.ports[from]?.rx, len);
      for (const port of portsIn(to)) count(state.ports[port]?.tx, len);
    },
    'sim:packet_sent'(state, { client, bytes }) {
      count(state.ports[ifnameOf(client)]?.tx, bytes.length);
    },
    'sim:packet_dropped'(state, { client }) {
      const port = state.ports[ifnameOf(client)];
      if (port !== undefined) port.dropped += 1;
    },
  },
};

/** Ports as a fact has them. */
const portsIn = (to: string): readonly string[] => (to === '' ? [] : to.split('+'));

/** The interface of a port's net client. */
export const ifnameOf = (client: string): string => client.slice(client.indexOf('/') + 1);
