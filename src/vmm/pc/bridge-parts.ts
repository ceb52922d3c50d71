/** The modelled Linux of the host: interfaces of taps, bridges, and who is a port of which. */
import { Problem, shortly } from '../../base/problem.ts';
import type { BridgeSetup } from '../../net/bridge/index.ts';
import type { Part } from '../board/machine.ts';
import {
  type BridgeConfig,
  INTERFACE,
  isTap,
  type MachineConfig,
  type NetClientConfig,
  type NetdevConfig,
  PORT,
} from '../config.ts';
import { BRIDGE_NAME, IFNAME, MOST } from '../limits.ts';
import { driverOf } from '../models.ts';
import { seated } from './seat.ts';

type Made = Pick<MachineConfig, 'netdevs' | 'bridges'>;

/** What a bridge is that nobody said anything of. */
export const USUAL_BRIDGE = { stp: false, ageing: 300_000_000_000, mtu: 1500, priority: 32_768 } as const;

const USUAL_NAME = 'br0';

const textOf = ({ properties }: NetdevConfig, key: string): string => String(properties[key] ?? '');

/** Interfaces of taps, by their ids: those nobody named are numbered, as Linux does it. */
export function interfacesOf({ netdevs = [] }: Made): ReadonlyMap<string, string> {
  const taps = netdevs.filter(isTap);
  const given = new Set(taps.map((tap) => textOf(tap, 'ifname').slice(0, MOST.ifname)));
  const found = new Map<string, string>();
  let next = 0;
  for (const tap of taps) {
    const ifname = textOf(tap, 'ifname').slice(0, MOST.ifname);
    if (ifname === '') while (given.has(`tap${next}`)) next += 1;
    found.set(tap.id, ifname === '' ? `tap${next++}` : ifname);
  }
  return found;
}

/** The bridge a script or a helper makes a tap a port of; undefined: nobody does. */
export function bridgeOfTap(tap: NetdevConfig): string | undefined {
  const br = textOf(tap, 'br');
  if (br !== '') return br;
  return textOf(tap, 'script') === 'no' && textOf(tap, 'helper') === '' ? undefined : USUAL_NAME;
}

/** A bridge, and what its ports lead to: ids of backends, names of other bridges. */
export interface BridgeMade extends BridgeConfig {
  readonly all: readonly string[];
}

/** All bridges: those that were asked for, then those that taps name. */
export function bridgesOf({ netdevs = [], bridges = [] }: Made): readonly BridgeMade[] {
  const asked = new Set(bridges.flatMap(({ ports }) => ports));
  const taps = netdevs.filter((each) => isTap(each) && !asked.has(each.id) && each.properties['carried'] !== true);
  const named = taps.flatMap((tap): [string, string][] => {
    const bridge = bridgeOfTap(tap);
    return bridge === undefined ? [] : [[bridge, tap.id]];
  });
  const others = [...new Set(named.map(([bridge]) => bridge))].filter((name) => !bridges.some((b) => b.name === name));
  const all = [...bridges, ...others.map((name): BridgeConfig => ({ ...USUAL_BRIDGE, name, ports: [] }))];
  return all.map((bridge) => {
    // A cable between two bridges has a port at either.
    const others = all.filter(({ name, ports }) => ports.includes(bridge.name) && !bridge.ports.includes(name));
    const cables = others.map(({ name }) => name);
    const own = named.flatMap(([name, id]) => (name === bridge.name ? [id] : []));
    return { ...bridge, all: [...bridge.ports, ...cables, ...own] };
  });
}

const portName = (bridge: string, to: string): string => `${bridge}/${to}`;

/** Name of the part of the `index`th bridge. */
const bridgeName = (name: string, index: number): string => `${name}#${index}`;

/** Ports of bridges as net clients. */
export function portClients(made: Made): readonly NetClientConfig[] {
  const bridges = bridgesOf(made);
  const interfaces = interfacesOf(made);
  return bridges.flatMap(({ name: bridge, all }, index) =>
    all.map((to): NetClientConfig => {
      const ifname = interfaces.get(to) ?? to;
      const isBridge = bridges.some(({ name }) => name === to);
      const peer = isBridge ? portName(to, bridge) : to;
      return { name: portName(bridge, ifname), type: PORT, part: bridgeName(bridge, index), bridge, ifname, peer };
    }),
  );
}

/** Interfaces of taps: the machine's own, and those of others of the run. */
const tapInterfaces = (made: Made): readonly string[] => [
  ...interfacesOf(made).values(),
  ...(made.netdevs ?? []).flatMap(({ id, type, properties }) =>
    type === INTERFACE && properties['tap'] === true ? [id] : [],
  ),
];

/** What each bridge is set up by, and the part it is. */
export function bridgeSetups(made: Made): readonly { readonly part: string; readonly setup: BridgeSetup }[] {
  const ports = portClients(made);
  return bridgesOf(made).map(({ all: _all, ports: _ports, ...bridge }, index) => {
    const own = ports.filter((port) => port.bridge === bridge.name);
    const taps = tapInterfaces(made);
    const interfaces = own.map(({ ifname }) => ifname!);
    const { number = index, ...said } = bridge;
    const setup = { ...said, index: number, interfaces, taps: interfaces.filter((ifname) => taps.includes(ifname)) };
    return { part: bridgeName(bridge.name, index), setup };
  });
}

/** The bridges of a machine as parts of it. */
export const bridgeParts = (made: Made): Part[] =>
  bridgeSetups(made).map(({ part, setup }) => seated(part, 'bridge', driverOf('bridge'), setup, {}));

/** Throws a Problem for ports that cannot be, and for interfaces that are there twice. */
export function checkBridges(made: Made): void {
  const { netdevs = [], bridges = [] } = made;
  const all = bridgesOf(made);
  const names = all.map(({ name }) => name);
  for (const name of names) {
    if (!BRIDGE_NAME.test(name)) throw new Problem(`A bridge cannot be called ${shortly(name)}: names are like br0.`);
  }
  const twice = bridges.find(({ name }, at) => bridges.findIndex((other) => other.name === name) !== at);
  if (twice !== undefined) throw new Problem(`--bridge ${twice.name}: there is a bridge ${twice.name} already.`);
  if (all.length > MOST.bridges) throw new Problem(`--bridge: a machine has at most ${MOST.bridges}.`);
  const taken = new Map<string, string>(names.map((name) => [name, 'a bridge']));
  for (const [id, ifname] of interfacesOf(made)) {
    const other = taken.get(ifname);
    if (other !== undefined) {
      throw new Problem(`-netdev tap,id=${id}: could not configure /dev/net/tun (${ifname}): it is ${other} already.`);
    }
    if (!IFNAME.test(ifname))
      throw new Problem(`-netdev tap,id=${id}: ifname=${shortly(ifname)} is no interface name.`);
    taken.set(ifname, `the interface of ${id}`);
  }
  for (const bridge of all) checkPorts(bridge, all, netdevs);
}

function checkPorts(
  { name, all: ports }: BridgeMade,
  bridges: readonly BridgeMade[],
  netdevs: readonly NetdevConfig[],
) {
  const said = `--bridge ${name}`;
  if (ports.length > MOST.ports) throw new Problem(`${said}: a bridge has at most ${MOST.ports} ports.`);
  for (const [at, port] of ports.entries()) {
    if (port === name) throw new Problem(`${said}: a bridge is no port of itself.`);
    const isThere = bridges.some((each) => each.name === port) || netdevs.some(({ id }) => id === port);
    if (!isThere) throw new Problem(`${said}: there is no backend and no bridge ${shortly(port)} for a port.`);
    if (ports.indexOf(port) !== at) throw new Problem(`${said}: ${port} is a port of it already.`);
    const other = bridges.find((each) => each.name !== name && each.name !== port && each.all.includes(port));
    const isBackend = netdevs.some(({ id }) => id === port);
    if (isBackend && other !== undefined) throw new Problem(`${said}: ${port} is a port of ${other.name} already.`);
  }
}
