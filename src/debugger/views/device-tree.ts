import type { Property, PropertyValue } from '../../devices/properties.ts';
import { capabilityOf, ROM_PROPERTIES } from '../../devices/pci/index.ts';
import { VIRTIO_PROPERTIES } from '../../devices/virtio/index.ts';
import type { GuestView } from '../../machine/guest-view.ts';
import type { PartConfig } from '../../vmm/config.ts';
import { driverOf } from '../../vmm/models.ts';
import { hex } from './interrupt-words.ts';
import { type FunctionSeen, functionsOf, idOf, isVirtio, optionOf } from './parts.ts';
import { barRange, pciSeen, type PciSeen } from './pci.ts';
import { className } from './pci-classes.ts';
import { viewOf } from './view.ts';

/** A device with the buses it has, as QEMU's `qdev` nests them. */
interface DeviceSeen {
  readonly driver: string;
  readonly id: string;
  /** Its properties that this machine has, as QEMU's monitor prints them. */
  readonly properties: readonly string[];
  readonly pci: PciSeen | undefined;
  readonly buses: readonly BusSeen[];
}

interface BusSeen {
  readonly name: string;
  readonly type: string;
  /** The one made last comes first. */
  readonly devices: readonly DeviceSeen[];
}

const partsOn = ({ machine }: GuestView, bus: string): PartConfig[] =>
  machine.state.config.parts.filter(({ model }) => driverOf(model).bus === bus).reverse();

function treeSeen(view: GuestView): BusSeen {
  const functions = functionsOf(view);
  const ofPart = (part: PartConfig): DeviceSeen => {
    const seen = functions.find((each) => each.part === part);
    return seen === undefined ? plainDevice(view, part) : pciDevice(view, seen);
  };
  const root = { name: 'pci.0', type: 'PCI', devices: partsOn(view, 'PCI').map(ofPart) };
  const host = { driver: 'i440FX-pcihost', id: '', properties: [], pci: undefined, buses: [root] };
  return { name: 'main-system-bus', type: 'System', devices: [...partsOn(view, 'System').map(ofPart), host] };
}

const plainDevice = (view: GuestView, part: PartConfig): DeviceSeen => ({
  driver: driverOf(part.model).name,
  id: idOf(view, part),
  properties: propertiesText(part, givenTo(view, part)),
  pci: undefined,
  buses: [],
});

/** What a device of `-device` was given. */
const givenTo = (view: GuestView, part: PartConfig): Readonly<Record<string, PropertyValue>> =>
  optionOf(view, part)?.properties ?? {};

/** Properties of a virtio device that are not its function's. */
const OF_THE_DEVICE: ReadonlySet<string> = new Set(['event_idx', 'indirect_desc']);

const isOfFunction = (name: string): boolean =>
  Object.hasOwn(ROM_PROPERTIES, name) || (Object.hasOwn(VIRTIO_PROPERTIES, name) && !OF_THE_DEVICE.has(name));

function pciDevice(view: GuestView, seen: FunctionSeen): DeviceSeen {
  const { part, pci, driver } = seen;
  const { vectors } = capabilityOf(pci.capabilities ?? [], 'msix') ?? {};
  const setup = part.pci!.setup as Readonly<Record<string, PropertyValue>>;
  const values = { ...setup, ...(vectors === undefined ? {} : { vectors }) };
  const isDevice = isVirtio(seen);
  const address = `addr = ${hex(part.pci!.slot, 2)}.${part.pci!.function}`;
  const own = propertiesText(part, values, isDevice ? isOfFunction : undefined);
  const inner = isDevice
    ? [
        virtioBus(
          seen,
          propertiesText(part, values, (name) => !isOfFunction(name)),
        ),
      ]
    : [];
  const isa = driver === 'PIIX3' ? [{ name: 'isa.0', type: 'ISA', devices: isaDevices(view) }] : [];
  return { driver, id: idOf(view, part), properties: [...own, address], pci: pciSeen(seen), buses: [...inner, ...isa] };
}

const isaDevices = (view: GuestView): DeviceSeen[] => partsOn(view, 'ISA').map((part) => plainDevice(view, part));

function virtioBus({ driver }: FunctionSeen, properties: readonly string[]): BusSeen {
  const device = { driver: driver.replace(/-pci$/, '-device'), id: '', properties, pci: undefined, buses: [] };
  return { name: 'virtio-bus', type: 'virtio-pci-bus', devices: [device] };
}

/** QEMU's links to objects are no properties its monitor prints. */
const isLink = (property: Property): boolean =>
  property.type === 'str' && (property.names === 'iothread' || property.names === 'rng');

/** Of a device of `-device` each of its properties, given or not. */
function propertiesText(
  { model }: PartConfig,
  values: Readonly<Record<string, PropertyValue>>,
  isMeant: (name: string) => boolean = () => true,
): string[] {
  const { properties = {} } = driverOf(model);
  return Object.entries(properties).flatMap(([name, property]) =>
    isMeant(name) && !isLink(property)
      ? [`${name} = ${valueText(name, values[name] ?? property.default, property.type === 'size')}`]
      : [],
  );
}

/** Sizes have their unit, and one switch could be left to QEMU. */
function valueText(name: string, value: PropertyValue, isSize: boolean): string {
  if (name === 'disable-legacy') return value === true ? '"on"' : '"off"';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return `"${value}"`;
  return isSize ? `${value} (${sizeText(value)})` : `${value} (0x${value.toString(16)})`;
}

/** QEMU's size_to_str: three digits, from a thousand on of the next unit. */
function sizeText(bytes: number): string {
  const unit = bytes < 1 ? 0 : Math.floor(Math.log2(bytes * 1.024) / 10);
  return `${Number((bytes / 1024 ** unit).toPrecision(3))} ${['', 'Ki', 'Mi', 'Gi', 'Ti'][unit]}B`;
}

/** As QEMU's monitor prints it for `info qtree`. */
function busText({ name, type, devices }: BusSeen): string[] {
  return [`bus: ${name}`, `  type ${type}`, ...devices.flatMap((each) => deviceText(each).map((line) => `  ${line}`))];
}

function deviceText({ driver, id, properties, pci, buses }: DeviceSeen): string[] {
  const lines = [...properties, ...(pci === undefined ? [] : pciText(pci)), ...buses.flatMap(busText)];
  return [`dev: ${driver}, id "${id}"`, ...lines.map((line) => `  ${line}`)];
}

function pciText(seen: PciSeen): string[] {
  const { slot, function: fn, vendor, device, subsystemVendor, subsystem, classCode, bars } = seen;
  const what = className(classCode) ?? `Class ${hex(classCode, 4)}`;
  const ids = `${hex(vendor, 4)}:${hex(device, 4)} (sub ${hex(subsystemVendor, 4)}:${hex(subsystem, 4)})`;
  return [
    `class ${what}, addr 00:${hex(slot, 2)}.${fn}, pci id ${ids}`,
    ...[...bars]
      .sort((one, other) => one.index - other.index)
      .map((bar) => {
        const [first, last] = barRange(bar).map((each) => `0x${each.toString(16)}`);
        return `bar ${bar.index}: ${bar.space === 'io' ? 'i/o' : 'mem'} at ${first} [${last}]`;
      }),
  ];
}

export const DEVICE_TREE = viewOf({
  usage: 'qtree',
  help: 'devices on their buses, with their properties',
  also: ['info qtree'],
  look: ({ view }): BusSeen => treeSeen(view),
  print: (root) => busText(root).join('\n'),
});
