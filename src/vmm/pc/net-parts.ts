/** Who is at the ends of a machine's wires: QEMU's net_init_client and qemu_new_nic, as a table. */
import { Problem, shortly } from '../../base/problem.ts';
import type { AnyDriver } from '../../devices/driver.ts';
import type { Part } from '../board/machine.ts';
import {
  HUBPORT,
  isTap,
  type MachineConfig,
  type NetClientConfig,
  type NetdevConfig,
  queueName,
  queuesOf,
} from '../config.ts';
import { backends, type DeviceModel } from '../models.ts';
import { bridgesOf, checkBridges, interfacesOf, portClients } from './bridge-parts.ts';
import { optionDriver, optionName } from './option-parts.ts';
import { seated } from './seat.ts';
import { setupOf } from './setup.ts';

type Made = Pick<MachineConfig, 'devices' | 'netdevs' | 'bridges'>;

/** The driver of a backend. Throws a Problem for one there is not. */
export function backendDriver(type: string): readonly [DeviceModel, AnyDriver] {
  const found = backends().find(([, { name }]) => name === type);
  if (found !== undefined) return found;
  const known = [...backends().map(([, { name }]) => name), HUBPORT].sort().join(', ');
  throw new Problem(`-netdev ${shortly(type)}: there is no such backend. There are ${known}.`);
}

/** Name of the part of the `index`th `-netdev`. */
export const backendName = (type: string, index: number): string => `${type}#${index}`;

/** The backends of a machine. A port of a hub is none. */
export function backendParts(made: Made): Part[] {
  const interfaces = interfacesOf(made);
  const bridges = bridgesOf(made);
  const { netdevs = [] } = made;
  return netdevs.flatMap((netdev, index) => {
    const { type, id, properties, served, world } = netdev;
    if (type === HUBPORT) return [];
    const [model, driver] = backendDriver(type);
    const given = setupOf(`-netdev ${type},id=${id}`, driver, properties);
    const setup = { ...given, ...(isTap(netdev) ? tapSetup(netdev, interfaces, bridges) : { served, world }) };
    return [seated(backendName(type, index), model, driver, driver.settle?.(setup, {}) ?? setup, {})];
  });
}

/** What of a tap its options alone do not say. */
const tapSetup = (
  netdev: NetdevConfig,
  interfaces: ReadonlyMap<string, string>,
  bridges: ReturnType<typeof bridgesOf>,
) => {
  const { id, properties } = netdev;
  const { carried, br = '' } = properties;
  return {
    clients: upTo(queuesOf(netdev)).map((queue) => queueName(id, queue)),
    interface: interfaces.get(id)!,
    bridge: carried === true ? String(br) : (bridges.find(({ all }) => all.includes(id))?.name ?? ''),
  };
};

const upTo = (length: number): number[] => Array.from({ length }, (_, at) => at);

/** A NIC of the command line. */
interface Nic {
  readonly name: string;
  readonly part: string;
  readonly driver: string;
  /** Its property that says who is at the other end of its wire, and what that says; undefined: nobody. */
  readonly key: string;
  readonly netdev: string | undefined;
  /** Of its clients after the first, whose name is its own. */
  readonly others: readonly string[];
}

/** NICs in order, named as QEMU names them. */
function nicsOf({ devices, netdevs = [] }: Made): Nic[] {
  const counts = new Map<string, number>();
  return devices.flatMap(({ driver, id, properties }, index) => {
    const key = netdevKey(optionDriver(driver)[1]);
    if (key === undefined) return [];
    const count = counts.get(driver) ?? 0;
    const netdev = String(properties[key] ?? '');
    const backend = netdevs.find((each) => each.id === netdev);
    const queues = upTo(backend === undefined ? 1 : queuesOf(backend));
    counts.set(driver, count + queues.length);
    const [name, ...others] = queues.map((queue) =>
      id === undefined ? `${driver}.${count + queue}` : queueName(id, queue),
    );
    const part = optionName(driver, index);
    return [{ name: name!, others, part, driver, key, netdev: netdev === '' ? undefined : netdev }];
  });
}

/** The property by which a driver's devices are NICs; undefined: they are none. */
export const netdevKey = ({ properties = {} }: AnyDriver): string | undefined =>
  Object.entries(properties).find(([, property]) => property.type === 'str' && property.names === 'netdev')?.[0];

/** A machine's net clients, backends and ports of hubs first; undefined: it has none. */
export function netClients(made: Made): readonly NetClientConfig[] | undefined {
  const { netdevs = [] } = made;
  const nics = nicsOf(made);
  if (netdevs.length + nics.length === 0) return undefined;
  const ports = portClients(made);
  const interfaces = interfacesOf(made);
  const peers = peersOf(netdevs, nics);
  const served = netdevs.filter(hasVhost).flatMap((each) => upTo(queuesOf(each)).map((at) => queueName(each.id, at)));
  for (const { name, peer } of ports) if (peer !== undefined && !interfaces.has(peer)) peers.set(peer, name);
  const peerOf = (name: string): Pick<NetClientConfig, 'peer'> => {
    const peer = peers.get(name);
    return peer === undefined ? {} : { peer };
  };
  return [
    ...netdevs.flatMap((netdev, index) => {
      const { id, type, hub = 0 } = netdev;
      const own = type === HUBPORT ? { hub } : { part: backendName(type, index) };
      const ifname = interfaces.get(id);
      return upTo(queuesOf(netdev)).map((queue): NetClientConfig => {
        const name = queueName(id, queue);
        const worker = served.indexOf(name);
        const vhost = worker < 0 ? {} : { vhost: worker };
        const named = ifname === undefined ? {} : { ifname };
        return { name, type, ...own, ...named, ...vhost, ...placeOf(id, queue), ...peerOf(name) };
      });
    }),
    ...ports,
    ...nics.flatMap(({ name: first, others, part }) =>
      [first, ...others].map((name, queue): NetClientConfig => {
        return { name, type: 'nic', part, ...placeOf(first, queue), ...peerOf(name) };
      }),
    ),
  ];
}

/** What says of a client that it is one of several. */
const placeOf = (of: string, queue: number): Pick<NetClientConfig, 'queue' | 'of'> =>
  queue === 0 ? {} : { queue, of };

/** Of a tap: the kernel serves rings. QEMU's has_vhost ? vhost : vhostforce. */
const hasVhost = ({ type, properties: { vhost, vhostforce } }: NetdevConfig): boolean =>
  isTap({ type }) && (vhost ?? vhostforce) === true;

/** Wires, by each end. */
function peersOf(netdevs: readonly NetdevConfig[], nics: readonly Nic[]): Map<string, string> {
  const ends = [
    ...netdevs.map(({ id, netdev }) => ({ one: id, other: netdev })),
    ...nics.flatMap(({ name, others, netdev }) =>
      [name, ...others].map((one, queue) => ({
        one,
        other: netdev === undefined ? undefined : queueName(netdev, queue),
      })),
    ),
  ];
  return new Map(
    ends.flatMap(({ one, other }): [string, string][] =>
      other === undefined
        ? []
        : [
            [one, other],
            [other, one],
          ],
    ),
  );
}

/** Throws a Problem for a wire that leads nowhere, or to a client that has one. */
export function checkNetdevs(made: Made): void {
  const { netdevs = [] } = made;
  checkBridges(made);
  const ids = netdevs.map(({ id }) => id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) throw new Problem(`-netdev: there is a net client ${shortly(twice)} already.`);
  const users = new Map<string, string>();
  const connect = (said: string, key: string, netdev: string | undefined): void => {
    if (netdev === undefined) return;
    if (!ids.includes(netdev)) throw new Problem(`${said}: ${noClient(key, netdev, ids)}`);
    const user = users.get(netdev);
    if (user !== undefined) throw new Problem(`${said}: ${key}=${netdev} is in use already, by ${user}.`);
    users.set(netdev, said);
  };
  for (const { name, all } of bridgesOf(made)) {
    for (const id of all) {
      const netdev = netdevs.find((each) => each.id === id);
      if (netdev !== undefined && !isTap(netdev)) connect(`--bridge ${name}`, 'ports', id);
    }
  }
  for (const { id, type, netdev } of netdevs) {
    if (type !== HUBPORT) continue;
    const said = `-netdev hubport,id=${id}`;
    if (netdev === id) throw new Problem(`${said}: a port does not lead to itself.`);
    connect(said, 'netdev', netdev);
    const backend = netdevs.find((each) => each.id === netdev);
    if (backend !== undefined && queuesOf(backend) > 1)
      throw new Problem(`${said}: Multiqueue tap cannot be used with hubs.`);
  }
  for (const { driver, key, netdev } of nicsOf(made)) connect(`-device ${driver}`, key, netdev);
}

function noClient(key: string, netdev: string, ids: readonly string[]): string {
  const known = ids.length === 0 ? 'There is none: add -netdev user,id=ID.' : `There are ${ids.join(', ')}.`;
  return `${key}=${shortly(netdev)} is no net client. ${known}`;
}
