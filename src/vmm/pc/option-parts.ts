/** Devices of the command line: QEMU's drivers and property names. */
import { Problem, shortly } from '../../base/problem.ts';
import type { AnyDriver } from '../../devices/driver.ts';
import { PCI, type PciFunctionState } from '../../devices/pci/index.ts';
import { iothreadSource } from '../../events/stamped.ts';
import type { Part } from '../board/machine.ts';
import { type DeviceModel, drivers } from '../models.ts';
import { type DriveConfig, isTap, type NetdevConfig, queuesOf } from '../config.ts';
import type { DeviceOption } from '../options.ts';
import { freeAddress, pciAddress } from './addresses.ts';
import { type Seat, seated } from './seat.ts';
import { setupOf } from './setup.ts';

/** Each driver `-device` may name, by that name. */
const OPTION_DRIVERS: ReadonlyMap<string, readonly [DeviceModel, AnyDriver]> = new Map(
  drivers()
    .filter(([, { properties }]) => properties !== undefined)
    .map((entry) => [entry[1].name, entry]),
);

/** Every driver that `-device` may name. */
export const optionDrivers = (): readonly AnyDriver[] => [...OPTION_DRIVERS.values()].map(([, driver]) => driver);

/** Name of the part that the `index`th `-device` adds. */
export const optionName = (driver: string, index: number): string => `${driver}#${index}`;

/** The driver an option names. */
export function optionDriver(name: string): readonly [DeviceModel, AnyDriver] {
  const found = OPTION_DRIVERS.get(name);
  if (found !== undefined) return found;
  const known = [...OPTION_DRIVERS.keys()].sort().join(', ');
  throw new Problem(`-device ${shortly(name)}: there is no such device. There are ${known}.`);
}

/** Properties every driver has that its device is not told of: who prints for it, and where it sits. */
export function placeProperties({ bus, chardev }: AnyDriver): readonly string[] {
  return [...(bus === 'PCI' ? ['addr'] : []), ...(chardev === undefined ? [] : ['chardev'])];
}

/** What of a machine an option's device depends on. */
interface Around {
  readonly smp: number;
  /** Ids of its I/O threads. */
  readonly iothreads: readonly string[];
  readonly drives: readonly DriveConfig[];
  readonly netdevs: readonly NetdevConfig[];
  /** The devices there are already. */
  readonly parts: readonly Part[];
}

/** The I/O thread a device is told to act in; undefined: it acts in the main loop. */
function threadOf(name: string, { properties = {} }: AnyDriver, setup: object, iothreads: readonly string[]) {
  for (const [key, property] of Object.entries(properties)) {
    const id = property.type === 'str' && property.names === 'iothread' ? String(Reflect.get(setup, key)) : '';
    if (id === '') continue;
    const at = iothreads.indexOf(id);
    if (at >= 0) return iothreadSource(at);
    const known =
      iothreads.length === 0 ? 'There is none: add -object iothread.' : `There are ${iothreads.join(', ')}.`;
    throw new Problem(`-device ${name}: ${key}=${shortly(id)} is no I/O thread. ${known}`);
  }
  return undefined;
}

/** The device of an option: the `index`th, in a machine that has these parts. */
export function optionPart({ driver: name, properties }: DeviceOption, index: number, around: Around): Part {
  const { smp, iothreads, parts } = around;
  const [model, driver] = optionDriver(name);
  const others = placeProperties(driver);
  const setup = settled(driver, setupOf(`-device ${name}`, driver, properties, { smp, others }), around);
  const seat = driver.bus === 'PCI' ? pciSeat(name, driver.atReset(setup), properties, parts) : {};
  const thread = threadOf(name, driver, setup, iothreads);
  return seated(optionName(name, index), model, driver, setup, thread === undefined ? seat : { ...seat, thread });
}

/** What follows from the rest, from its drive and from the tap on its wire. */
function settled(driver: AnyDriver, setup: object, { drives, netdevs }: Around): object {
  const named = <T extends { readonly id: string }>(what: 'drive' | 'netdev', all: readonly T[]): T | undefined => {
    const [key] =
      Object.entries(driver.properties ?? {}).find(([, each]) => each.type === 'str' && each.names === what) ?? [];
    return key === undefined ? undefined : all.find(({ id }) => id === Reflect.get(setup, key));
  };
  const netdev = named('netdev', netdevs);
  const queues = netdev === undefined || !isTap(netdev) ? undefined : queuesOf(netdev);
  return driver.settle?.(setup, { drive: named('drive', drives), queues }) ?? setup;
}

/** The pin of a function that has one leads to the ISA bridge. */
function pciSeat(
  name: string,
  { config = [] }: Partial<PciFunctionState>,
  { addr }: DeviceOption['properties'],
  parts: readonly Part[],
): Seat {
  const pci = addr === undefined ? freeAddress(name, parts) : pciAddress(name, String(addr), parts);
  const pin = config[PCI.interruptPin] ?? 0;
  return { pci, wires: pin === 0 ? {} : { intx: { to: 'intx', slot: pci.slot, pin } } };
}
