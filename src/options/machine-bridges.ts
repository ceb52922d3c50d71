/** Bridges in a file of machines: each runs as a Linux of its own, which has no processors. */
import { Problem } from '../base/problem.ts';
import { virtualNs } from '../base/virtual-time.ts';
import type { Link, LinkEnd } from '../runs/fabric/links.ts';
import type { PlannedMachine } from '../runs/fabric/open-fabric.ts';
import type { WrittenBridge, WrittenMachines as Written } from '../runs/fabric/written-machines.ts';
import type { WrittenFile } from '../runs/machine/written-file.ts';
import { INTERFACE, isTap, type NetdevConfig } from '../vmm/config.ts';
import { bridgeOfTap } from '../vmm/pc/bridge-parts.ts';
import { backendName } from '../vmm/pc/net-parts.ts';
import { runOptions } from './run-arguments.ts';

/** What is asked for on the command line, for all of them. */
export interface ForAll {
  readonly seed: string;
  readonly trace: string | undefined;
  /** When they are switched on: ISO form or seconds since 1970. */
  readonly wallClock: string;
}

/** Of a port nobody said how long a frame takes: through a bridge it takes as long as through a cable. */
const USUAL_LATENCY_NS = 25_000;

/** What is on its way in a Linux has its place there: more would be a cable. */
const MOST_LATENCY_NS = 10_000_000;

/** Bridges, and machines that are joined to them. */
export interface Bridged {
  /** The machines, whose taps know that their bridge is elsewhere. */
  readonly machines: readonly PlannedMachine[];
  readonly bridges: readonly PlannedMachine[];
  readonly links: readonly Link[];
  readonly warnings: readonly string[];
}

type Bridges = Readonly<Record<string, WrittenBridge>>;

const hasTree = ({ stp }: WrittenBridge): boolean => stp === true || stp === 'on';

/** A machine's network that is a port of a bridge. */
interface Joined {
  readonly bridge: string;
  /** `alice:n0`. */
  readonly name: string;
  /** What Linux calls the port. */
  readonly ifname: string;
  readonly end: LinkEnd;
  readonly isTap: boolean;
}

/** One port of a bridge, as its own machine has it. */
interface Port {
  /** The id of its network. */
  readonly id: string;
  /** What makes it; undefined: it is among the bridge's own. */
  readonly netdev?: string;
  /** Who else has it: a machine's network, or the bridge of that name. */
  readonly to?: Joined | string;
  readonly latencyNs: number;
}

/** Of a bridge nothing need be said. */
const bridgesOf = ({ bridges = {} }: Written): Bridges =>
  Object.fromEntries(Object.entries(bridges).map(([name, bridge]) => [name, bridge ?? {}]));

/** Understand the bridges of a file whose machines are known. Throws a Problem that names the line of what is wrong. */
export function bridgesAsked(file: WrittenFile<Written>, machines: readonly PlannedMachine[], all: ForAll): Bridged {
  const bridges = bridgesOf(file.value);
  const names = Object.keys(bridges);
  const taken = names.find((name) => machines.some((machine) => machine.name === name));
  if (taken !== undefined) throw file.problemAt(['bridges', taken], `there is a machine ${taken} already`);
  const joined = joinedTo(file, machines, bridges);
  const ports = new Map(names.map((name) => [name, portsOf(file, { name, bridges, joined })]));
  const made = names.map((name, number) =>
    madeOf(file, { name, number, bridge: bridges[name]!, ports: ports.get(name)! }, all),
  );
  return {
    machines: machines.map((machine, at) =>
      carriedBy(
        machine,
        joined.filter(({ end }) => end.machine === at),
      ),
    ),
    bridges: made,
    links: linksOf(names, ports, made, machines.length),
    warnings: loopsOf(names, ports, bridges),
  };
}

/** Networks of machines that are ports of these bridges: taps by their `br=`, others where a bridge names them. */
function joinedTo(
  file: WrittenFile<Written>,
  machines: readonly PlannedMachine[],
  bridges: Bridges,
): readonly Joined[] {
  const listed = new Map(
    Object.entries(bridges).flatMap(([bridge, { ports = [] }]) => ports.map((port) => [toOf(port), bridge] as const)),
  );
  const found: Joined[] = [];
  const free = freeNames(machines);
  for (const [machine, { name, options }] of machines.entries()) {
    const own = options.bridges.find((bridge) => Object.hasOwn(bridges, bridge.name));
    if (own !== undefined) throw file.problemAt(['machines', name, 'bridge'], `${own.name} is a bridge of the run`);
    for (const [index, netdev] of options.netdevs.entries()) {
      const full = `${name}:${netdev.id}`;
      const isLocal = options.bridges.some(({ ports }) => ports.includes(netdev.id));
      const bridge = listed.get(full) ?? (isTap(netdev) && !isLocal ? bridgeOfTap(netdev) : undefined);
      if (bridge === undefined || !Object.hasOwn(bridges, bridge)) continue;
      const ifname = isTap(netdev) ? ifnameOf(netdev) || free() : full.replace(':', '.');
      const other = found.find((each) => each.ifname === ifname);
      if (other !== undefined) {
        throw file.problemAt(
          ['machines', name, 'netdev'],
          `${full}: ${ifname} is the interface of ${other.name} already`,
        );
      }
      const end = { machine, dev: backendName(netdev.type, index) };
      found.push({ bridge, name: full, ifname, end, isTap: isTap(netdev) });
    }
  }
  return found;
}

const ifnameOf = ({ properties }: NetdevConfig): string => String(properties['ifname'] ?? '');

/** Names of interfaces nobody has: all taps of a run are one Linux'. */
function freeNames(machines: readonly PlannedMachine[]): () => string {
  const given = new Set(machines.flatMap(({ options }) => options.netdevs.map(ifnameOf)));
  let next = 0;
  return () => {
    while (given.has(`tap${next}`)) next += 1;
    return `tap${next++}`;
  };
}

type WrittenPort = NonNullable<WrittenBridge['ports']>[number];

const toOf = (port: WrittenPort): string => (typeof port === 'string' ? port : port.to);

interface Around {
  readonly name: string;
  readonly bridges: Bridges;
  readonly joined: readonly Joined[];
}

/** The ports of a bridge: those it names, taps that name it, bridges that name it. */
function portsOf(file: WrittenFile<Written>, { name, bridges, joined }: Around): readonly Port[] {
  const { ports = [] } = bridges[name]!;
  const usual = latencyOf(file, ['bridges', name, 'latency'], bridges[name]!.latency) ?? USUAL_LATENCY_NS;
  const own = ports.map((port, at): Port => {
    const place = ['bridges', name, 'ports', at];
    const latencyNs = latencyOf(file, [...place, 'latency'], typeof port === 'string' ? undefined : port.latency);
    return portTo(file, { place, to: toOf(port), name, bridges, joined, latencyNs: latencyNs ?? usual });
  });
  const listed = new Set(own.map(({ id }) => id));
  const taps = joined.filter(({ bridge, ifname }) => bridge === name && !listed.has(ifname));
  const others = Object.entries(bridges).filter(([other, { ports: theirs = [] }]) => {
    return other !== name && !listed.has(other) && theirs.some((port) => toOf(port) === name);
  });
  return [
    ...own,
    ...taps.map((tap) => portOf(tap, usual)),
    ...others.map(([other]): Port => ({ ...trunk(other), latencyNs: usual })),
  ];
}

const portOf = (to: Joined, latencyNs: number): Port => ({
  ...{ id: to.ifname, to, latencyNs },
  netdev: to.isTap ? `${INTERFACE},id=${to.ifname},tap=on` : `frames,id=${to.ifname}`,
});

const trunk = (to: string) => ({ id: to, to, netdev: `${INTERFACE},id=${to}` });

interface AskedPort extends Around {
  readonly place: readonly (string | number)[];
  readonly to: string;
  readonly latencyNs: number;
}

function portTo(file: WrittenFile<Written>, { place, to, name, bridges, joined, latencyNs }: AskedPort): Port {
  const wrong = (what: string): Problem => file.problemAt(place, what);
  if (to === name) throw wrong('a bridge is no port of itself');
  if (Object.hasOwn(bridges, to)) return { ...trunk(to), latencyNs };
  if (!to.includes(':')) return { id: to, latencyNs };
  const found = joined.find((each) => each.name === to && each.bridge === name);
  if (found === undefined)
    throw wrong(`there is no network ${to} that could be a port, or it is one of another bridge`);
  return portOf(found, latencyNs);
}

function latencyOf(
  file: WrittenFile<Written>,
  place: readonly (string | number)[],
  text: string | undefined,
): number | undefined {
  const ns = text === undefined ? undefined : virtualNs(text)!;
  if (ns !== undefined && (ns < 1000 || ns > MOST_LATENCY_NS)) {
    throw file.problemAt(place, 'a frame takes 1us to 10ms at a port');
  }
  return ns;
}

interface Made {
  readonly name: string;
  readonly number: number;
  readonly bridge: WrittenBridge;
  readonly ports: readonly Port[];
}

/** The bridge as a machine without processors. */
function madeOf(
  file: WrittenFile<Written>,
  { name, number, bridge, ports }: Made,
  { seed, wallClock }: ForAll,
): PlannedMachine {
  const { netdev = [], stp, ageing, mtu, priority, address } = bridge;
  const said = Object.entries({
    stp: stp === undefined ? undefined : hasTree(bridge) ? 'on' : 'off',
    ageing,
    mtu,
    priority,
    address,
  });
  const properties = said.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]));
  const networks = [...[netdev].flat(), ...ports.flatMap((port) => port.netdev ?? [])];
  const asked = [name, ...(ports.length === 0 ? [] : [`ports=${ports.map(({ id }) => id).join('+')}`]), ...properties];
  try {
    const options = runOptions([
      ...['--nodefaults', '-m', '2', '--no-trace', '--seed', `${seed}/${name}`, '--wall-clock', wallClock],
      ...networks.flatMap((network) => ['--netdev', network]),
      ...['--bridge', asked.join(',')],
    ]);
    return {
      name,
      options: { ...options, cpus: 0, bridges: options.bridges.map((each) => ({ ...each, number })) },
    };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const key = said.map(([each]) => each).find((each) => error.message.includes(`: ${each}`)) ?? 'ports';
    const isNetwork = error.message.startsWith('-netdev');
    throw file.problemAt(['bridges', name, isNetwork ? 'netdev' : key], `${name}: ${error.message.replace(/\.$/, '')}`);
  }
}

/** What joins bridges to machines and to each other. Bridges are behind `first` machines. */
function linksOf(
  names: readonly string[],
  ports: ReadonlyMap<string, readonly Port[]>,
  made: readonly PlannedMachine[],
  first: number,
): readonly Link[] {
  const endOf = (bridge: string, id: string): LinkEnd => {
    const at = names.indexOf(bridge);
    const index = made[at]!.options.netdevs.findIndex((each) => each.id === id);
    return { machine: first + at, dev: backendName(made[at]!.options.netdevs[index]!.type, index) };
  };
  return names.flatMap((name, at) =>
    ports.get(name)!.flatMap(({ id, to, latencyNs }): Link[] => {
      if (to === undefined) return [];
      const own = endOf(name, id);
      if (typeof to !== 'string') return [{ ends: [to.end, own], latencyNs, ...(to.isTap ? { isInside: true } : {}) }];
      return at < names.indexOf(to) ? [{ ends: [own, endOf(to, name)], latencyNs, isInside: true }] : [];
    }),
  );
}

/** Taps of a machine whose bridge is elsewhere know that, and what their interface is called. */
function carriedBy(machine: PlannedMachine, joined: readonly Joined[]): PlannedMachine {
  const netdevs = machine.options.netdevs.map((netdev, index): NetdevConfig => {
    const port = joined.find(({ end }) => end.dev === backendName(netdev.type, index));
    if (port?.isTap !== true) return netdev;
    const named = netdev.type === 'tap' ? { ifname: port.ifname } : {};
    return { ...netdev, properties: { ...netdev.properties, ...named, br: port.bridge, carried: true } };
  });
  return { ...machine, options: { ...machine.options, netdevs } };
}

/** Bridges that lead round in a circle, of which one does not speak STP: what is sent to all never ends. */
function loopsOf(
  names: readonly string[],
  ports: ReadonlyMap<string, readonly Port[]>,
  bridges: Bridges,
): readonly string[] {
  const group = new Map(names.map((name) => [name, name]));
  const rootOf = (name: string): string => (group.get(name) === name ? name : rootOf(group.get(name)!));
  const warnings: string[] = [];
  for (const [at, name] of names.entries()) {
    for (const { to } of ports.get(name)!) {
      if (typeof to !== 'string' || names.indexOf(to) < at) continue;
      const [one, other] = [rootOf(name), rootOf(to)];
      group.set(one, other);
      if (one !== other) continue;
      const all = names.filter((each) => rootOf(each) === one);
      if (all.every((each) => hasTree(bridges[each]!))) continue;
      warnings.push(
        `${all.join(', ')}: there is more than one way between these bridges, and not all of them have stp: ` +
          'a frame for all goes round for ever.',
      );
    }
  }
  return warnings;
}
