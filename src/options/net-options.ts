/** `-netdev`, `-nic` and `-net`: which networks there are, and the cards that come with them. QEMU 7.2: net/net.c. */
import type { AnyDriver } from '../devices/driver.ts';
import { HUBPORT, type NetdevConfig, TAP_FD } from '../vmm/config.ts';
import { MOST, NETDEV_ID } from '../vmm/limits.ts';
import type { DeviceOption } from '../vmm/options.ts';
import { backendDriver, netdevKey } from '../vmm/pc/net-parts.ts';
import { optionDriver, optionDrivers } from '../vmm/pc/option-parts.ts';
import { propertiesOf } from './device-options.ts';
import { type CommaValue, commaValue, refuseOthers, wholeNumber } from './qemu-values.ts';
import { asUsage, UsageProblem } from './usage.ts';

/** The networks asked for, and the cards that `-nic` and `-net nic` stand for. */
export interface Networks {
  readonly netdevs: NetdevConfig[];
  readonly cards: DeviceOption[];
}

/** What the command line says of networks, as given. */
interface Given {
  readonly netdev?: readonly string[];
  readonly nic?: readonly string[];
  readonly net?: readonly string[];
  readonly nodefaults?: boolean;
}

/** What a machine has on hub 0 of which nobody said anything. */
const USUAL = ['nic', 'user'] as const;

/** Throws a UsageProblem for what cannot be had. */
export function networksAsked({ netdev = [], nic = [], net: asked = [], nodefaults = false }: Given): Networks {
  const found: Networks = { netdevs: [], cards: [] };
  const isUsual = !nodefaults && netdev.length + nic.length + asked.length === 0;
  const net = isUsual ? USUAL : asked;
  for (const text of netdev) addNetdev(found, text);
  for (const text of nic) addNic(found, text);
  for (const text of net) addLegacy(found, text);
  if (found.netdevs.length > MOST.netdevs) throw new UsageProblem(`-netdev: a machine has at most ${MOST.netdevs}.`);
  return found;
}

function addNetdev({ netdevs }: Networks, text: string): void {
  const value = commaValue(text);
  const option = `-netdev ${text}`;
  const id = value.properties.get('id');
  if (id === undefined) throw new UsageProblem(`${option}: give it an id=NAME.`);
  if (!NETDEV_ID.test(id) || id.startsWith('#') || id.length > MOST.driveId) {
    throw new UsageProblem(`${option}: an id is a letter and then letters, digits, '-', '.' or '_'.`);
  }
  const type = typeOf(option, value);
  if (netdevs.some((each) => each.id === id)) throw new UsageProblem(`${option}: there is a net client ${id} already.`);
  netdevs.push(type === HUBPORT ? hubPort(option, id, value) : { type, id, properties: backend(option, type, value) });
}

/** The first word says which backend it is, or `type=`. */
const typeOf = (option: string, { name, properties }: CommaValue): string => {
  const type = name ?? properties.get('type');
  if (type === undefined) throw new UsageProblem(`${option}: say which, like -netdev user,id=n0.`);
  return type === 'tap' && properties.has('fd') ? TAP_FD : type;
};

/** What QEMU does not take beside `fd=`. */
const NOT_WITH_FD = ['ifname', 'script', 'downscript', 'vnet_hdr', 'helper', 'queues', 'fds', 'vhostfds'] as const;

/** What is given of a backend's properties. */
function backend(option: string, type: string, value: CommaValue): NetdevConfig['properties'] {
  const driver = asUsage(() => backendDriver(type)[1]);
  if (type === TAP_FD && NOT_WITH_FD.some((key) => value.properties.has(key))) {
    const all = NOT_WITH_FD.map((key) => `${key}=`);
    throw new UsageProblem(`${option}: ${all.slice(0, -1).join(', ')}, and ${all.at(-1)} are invalid with fd=.`);
  }
  refuseOthers(option, value, [...Object.keys(driver.properties ?? {}), 'id', 'type']);
  return propertiesOf(option, driver, value);
}

function hubPort(option: string, id: string, value: CommaValue): NetdevConfig {
  refuseOthers(option, value, ['id', 'type', 'hubid', 'netdev']);
  const hubid = value.properties.get('hubid');
  if (hubid === undefined) throw new UsageProblem(`${option}: say which hub, with hubid=N.`);
  const hub = wholeNumber(`${option}: hubid`, hubid, 0, MOST.hub);
  const netdev = value.properties.get('netdev');
  return { type: HUBPORT, id, hub, ...(netdev === undefined ? {} : { netdev }), properties: {} };
}

/** `-nic`: a card, and its network without a hub between. */
function addNic({ netdevs, cards }: Networks, text: string): void {
  const option = `-nic ${text}`;
  const { pairs, ...value } = commaValue(text);
  if (value.name === 'none') return;
  const type = typeOf(option, { pairs, ...value });
  const ofCard = pairs.filter(([key]) => key === 'model' || key === 'mac');
  const rest = pairs.filter(([key]) => key !== 'model' && key !== 'mac');
  const id = value.properties.get('id') ?? unnamed(netdevs);
  const properties = backend(option, type, { name: type, properties: new Map(rest), pairs: rest });
  netdevs.push({ type, id, properties });
  cards.push(card(option, { ...Object.fromEntries(ofCard), netdev: id }));
}

/** What nobody gave a name has one that nobody can give. QEMU draws a number. */
const unnamed = (netdevs: readonly NetdevConfig[]): string => `#net${netdevs.length}`;

/** `-net`: a card or a network on hub 0, unless the card says whose it is. */
function addLegacy(found: Networks, text: string): void {
  const option = `-net ${text}`;
  const value = commaValue(text);
  const { netdevs, cards } = found;
  const type = typeOf(option, value);
  if (type === 'none') return;
  if (type !== 'nic') {
    const id = unnamed(netdevs);
    netdevs.push({ type, id, properties: backend(option, type, value) });
    netdevs.push({ type: HUBPORT, id: portName(netdevs), hub: 0, netdev: id, properties: {} });
    return;
  }
  refuseOthers(option, value, ['type', 'netdev', 'model', 'macaddr', 'addr', 'vectors']);
  const { model, macaddr: mac, addr, vectors, netdev: asked } = Object.fromEntries(value.properties);
  const netdev = asked ?? portName(netdevs);
  if (asked === undefined) netdevs.push({ type: HUBPORT, id: netdev, hub: 0, properties: {} });
  cards.push(card(option, { model, mac, netdev, addr, vectors }));
}

/** The next port of hub 0, as QEMU numbers them. */
const portName = (netdevs: readonly NetdevConfig[]): string =>
  `hub0port${netdevs.filter(({ type, hub }) => type === HUBPORT && hub === 0).length}`;

/** QEMU's `pc` has this card where nobody says which. */
const USUAL_MODEL = 'e1000';

/** Other names of models. */
const ALIASES: Readonly<Record<string, string>> = { virtio: 'virtio-net-pci' };

/** What is said of a card. */
type CardSaid = Readonly<Partial<Record<'model' | 'mac' | 'netdev' | 'addr' | 'vectors', string | undefined>>>;

function card(option: string, { model = USUAL_MODEL, mac, netdev, ...more }: CardSaid): DeviceOption {
  const driver = ALIASES[model] ?? model;
  const known = optionDrivers().filter((each) => netdevKey(each) !== undefined);
  const found = known.find(({ name }) => name === driver);
  if (found === undefined) {
    const there = known.map(({ name }) => name).sort();
    throw new UsageProblem(`${option}: there is no card ${model}. There are ${there.join(', ')}.`);
  }
  const said = [[netdevKey(found), netdev], [macKey(found), mac], ...Object.entries(more)];
  const pairs = said.filter((pair): pair is [string, string] => pair.every((part) => part !== undefined));
  return { driver, properties: propertiesOf(option, found, { pairs }) };
}

const macKey = ({ properties = {} }: AnyDriver): string | undefined =>
  Object.entries(properties).find(([, property]) => property.type === 'str' && property.isMac === true)?.[0];

/** Of the addresses QEMU gives to cards, all but the last byte, and that of the first. */
const MAC_PREFIX = '52:54:00:12:34:';
const FIRST_MAC = 0x56;
/** It has as many to give. */
const MACS = 256 - FIRST_MAC;

/** Cards that have no address get the next that is free: qemu_macaddr_default_if_unset. */
export function withMacs(devices: readonly DeviceOption[], ofOthers: Iterable<string>): DeviceOption[] {
  const taken = new Set(ofOthers);
  for (const device of devices) {
    const key = macKey(optionDriver(device.driver)[1]);
    if (key !== undefined) taken.add(String(device.properties[key] ?? '').toLowerCase());
  }
  return devices.map((device) => {
    const key = macKey(optionDriver(device.driver)[1]);
    if (key === undefined || (device.properties[key] ?? '') !== '') return device;
    const free = Array.from({ length: MACS }, (_, at) => `${MAC_PREFIX}${(FIRST_MAC + at).toString(16)}`);
    const mac = free.find((each) => !taken.has(each))!;
    taken.add(mac);
    return { ...device, properties: { ...device.properties, [key]: mac } };
  });
}
