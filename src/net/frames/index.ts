import type { Driver } from '../../devices/driver.ts';
import { bool, type PropertiesOf } from '../../devices/properties.ts';
import { framesBackend, type FramesWays } from './backend.ts';
import { CABLE_PROPERTIES, cableRules, leaveBy } from './cable.ts';
import { DATAGRAM_PROPERTIES, datagramOutside } from './dgram.ts';
import { FRAMES_REDUCER } from './evolve.ts';
import type { InetPlace, Outside } from './outside.ts';
import { SOCKET_PROPERTIES, socketOutside } from './socket.ts';
import { type FramesState, framesAtReset } from './state.ts';
import { STREAM_PROPERTIES, streamOutside } from './stream.ts';
import { TAP_PROPERTIES, tapOutside } from './tap.ts';

export type { Outside } from './outside.ts';
export type { FramesState } from './state.ts';

interface Kind<P extends object> {
  readonly name: string;
  readonly description: string;
  readonly properties: PropertiesOf<P>;
  /** How its wire goes on, by its setup. */
  ways?(setup: P): FramesWays;
  /** Where its wire goes on; undefined: that is for whoever runs the machine. Throws a Problem for what cannot be. */
  outside(setup: P): Outside | undefined;
  atReset(outside: Outside | undefined): FramesState;
}

/** An interface whose other end another machine of the run has. */
interface InterfaceSetup {
  /** That is a tap's. */
  readonly tap: boolean;
}

const driverOf = <P extends object>(kind: Kind<P>): Driver<FramesState, P> => ({
  name: kind.name,
  description: kind.description,
  bus: 'System',
  category: 'Network',
  properties: kind.properties,
  settle(setup) {
    kind.outside(setup);
    return setup;
  },
  create: (setup) => framesBackend(kind.name, kind.ways?.(setup)),
  atReset: (setup) => kind.atReset(kind.outside(setup)),
  reducer: FRAMES_REDUCER,
});

const named = ({ host, port }: InetPlace): string => `${host}:${port}`;

/** What the monitor says before anything has come of it. */
function infoOf(outside: Outside | undefined): string {
  if (outside?.by === 'datagrams') return `udp=${named(outside.local)}/${named(outside.remote)}`;
  if (outside?.by === 'group') return `mcast=${named(outside.group)}`;
  return outside?.by === 'tap' ? `fd=${outside.fd}` : '';
}

/** The same of `-netdev socket`, which says of datagrams only where they go. */
function socketInfoOf(outside: Outside | undefined): string {
  if (outside?.by === 'connect' && 'host' in outside.at) return `socket: connect to ${named(outside.at)}`;
  if (outside?.by === 'connect' && 'fd' in outside.at) return `socket: fd=${outside.at.fd}`;
  const info = outside?.by === 'datagrams' ? `udp=${named(outside.remote)}` : infoOf(outside);
  return info === '' ? '' : `socket: ${info}`;
}

/** Nobody is there until a connection stands. */
const isUp = (outside: Outside | undefined): boolean => outside?.by !== 'listen' && outside?.by !== 'connect';

/** Frames are carried by whoever runs the machine: `sim:frame_left` tells him, `sim:frame_received` he brings. */
export const frames = driverOf({
  name: 'frames',
  description: 'Frames carried by whoever runs the machine',
  properties: CABLE_PROPERTIES,
  outside: (setup) => void cableRules(setup),
  ways(setup) {
    const rules = cableRules(setup);
    return { leave: (state, packet, effects) => leaveBy(rules, state, packet, effects) };
  },
  atReset: () => framesAtReset(),
});

/** As it is for `frames`, of packets: their interface is the other machine's, or leads to another bridge. */
export const joined = driverOf<InterfaceSetup>({
  name: 'interface',
  description: 'An interface of the modelled Linux that leads to another machine of the run',
  properties: { tap: bool(false, 'What QEMU there has a tap of: a port of 10 Mb/s') },
  ways: () => ({ takesHeaders: true }),
  outside: () => undefined,
  atReset: () => framesAtReset(),
});

export const stream = driverOf({
  name: 'stream',
  description: 'Frames by a connection to another machine',
  properties: STREAM_PROPERTIES,
  outside: streamOutside,
  atReset: (outside) => framesAtReset({ isUp: isUp(outside) }),
});

export const dgram = driverOf({
  name: 'dgram',
  description: 'Frames by datagrams to another machine',
  properties: DATAGRAM_PROPERTIES,
  outside: datagramOutside,
  atReset: (outside) => framesAtReset({ info: infoOf(outside) }),
});

/** What is sent before its connection stands waits for that. */
export const socket = driverOf({
  name: 'socket',
  description: 'Frames by a connection or datagrams to another machine',
  properties: SOCKET_PROPERTIES,
  outside: socketOutside,
  atReset: (outside) =>
    framesAtReset({
      isUp: outside?.by !== 'listen',
      isStalled: outside?.by === 'connect',
      info: socketInfoOf(outside),
    }),
});

/** What `-netdev tap,fd=` makes. */
export const tapFd = driverOf({
  name: 'tap-fd',
  description: 'Frames by an open tap of the host',
  properties: TAP_PROPERTIES,
  ways: () => ({ pads: true }),
  outside: tapOutside,
  atReset: (outside) => framesAtReset({ info: infoOf(outside) }),
});

const OUTSIDE: Readonly<Record<string, (setup: never) => Outside | undefined>> = {
  stream: streamOutside,
  dgram: datagramOutside,
  socket: socketOutside,
  'tap-fd': tapOutside,
};

/** Where the wire of a backend goes on; undefined: not outside, or by whoever runs the machine. */
export const outsideOf = (type: string, setup: object): Outside | undefined => OUTSIDE[type]?.(setup as never);
