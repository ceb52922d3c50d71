/** `-device` and `-debugcon`: which devices are asked for, and whose characters go where. */
import type { AnyDriver } from '../devices/driver.ts';
import { accepts, type Property, type PropertyValue, rangeOf } from '../devices/properties.ts';
import type { DeviceOption } from '../vmm/options.ts';
import { DRIVE_ID, MOST } from '../vmm/limits.ts';
import { optionDriver, optionName, placeProperties } from '../vmm/pc/option-parts.ts';
import { pcParts } from '../vmm/pc/parts.ts';
import { type Chardevs, characterBackend, chardevById } from './character-backends.ts';
import { helpOfDriver, helpOfDrivers } from './device-help.ts';
import { type CommaValue, commaValue, refuseOthers } from './qemu-values.ts';
import type { CharacterDevice } from '../runs/machine/run-options.ts';
import { asUsage, OptionHelp, UsageProblem } from './usage.ts';

/** The devices asked for, and the characters of those that have some. */
export interface Devices {
  readonly devices: DeviceOption[];
  readonly characters: CharacterDevice[];
}

/** `before`: devices that come first. Throws a UsageProblem for what cannot be had, and OptionHelp where asked for. */
export function devicesOf(values: readonly string[], byId: Chardevs, before: readonly DeviceOption[] = []): Devices {
  const found: Devices = { devices: [...before], characters: [] };
  for (const text of values) addDevice(found, text, byId);
  return found;
}

/** Refuse devices that the machine cannot have beside one another. */
export function checkDevices(board: Parameters<typeof pcParts>[0]): void {
  asUsage(() => pcParts(board, new Map()));
}

/** `-debugcon BACKEND` is an isa-debugcon whose backend has no name. */
export function addDebugcon({ devices, characters }: Devices, text: string, byId: Chardevs): void {
  const [, driver] = optionDriver(DEBUGCON);
  if (devices.some((each) => each.driver === DEBUGCON)) {
    throw new UsageProblem('Give -debugcon or -device isa-debugcon, not both.');
  }
  const backend = characterBackend({ option: '-debugcon', label: 'debugcon' }, text, byId);
  characters.push(characterDevice(driver, devices.length, backend));
  devices.push({ driver: DEBUGCON, properties: {} });
}

const DEBUGCON = 'isa-debugcon';

function addDevice({ devices, characters }: Devices, text: string, byId: Chardevs): void {
  const value = commaValue(text);
  if (value.name === 'help' || value.name === '?') throw new OptionHelp(helpOfDrivers());
  const driver = driverNamed(value.name ?? '');
  if (value.properties.has('help')) throw new OptionHelp(helpOfDriver(driver));
  const known = [...Object.keys(driver.properties ?? {}), ...placeProperties(driver), 'id'];
  refuseOthers(`-device ${driver.name}`, value, known);
  const id = value.properties.get('chardev');
  if (id === undefined && driver.chardev === 'required') {
    throw new UsageProblem(`-device ${text}: name its -chardev with chardev=ID.`);
  }
  if (id !== undefined)
    characters.push(characterDevice(driver, devices.length, chardevById(`-device ${text}`, id, byId)));
  const properties = propertiesOf(`-device ${driver.name}`, driver, value);
  devices.push({ driver: driver.name, ...idOf(text, value, devices), properties });
}

/** What a person calls it: QEMU's id_generate and qdev_set_id. */
function idOf(text: string, { properties }: CommaValue, devices: readonly DeviceOption[]): { readonly id?: string } {
  const id = properties.get('id');
  if (id === undefined) return {};
  if (!DRIVE_ID.test(id) || id.length > MOST.driveId) {
    throw new UsageProblem(`-device ${text}: an id is a letter and then letters, digits, '-', '.' or '_'.`);
  }
  if (devices.some((device) => device.id === id)) {
    throw new UsageProblem(`-device ${text}: there is a device ${id} already.`);
  }
  return { id };
}

const driverNamed = (name: string): AnyDriver => asUsage(() => optionDriver(name)[1]);

const characterDevice = (driver: AnyDriver, index: number, backend: CharacterDevice['backend']): CharacterDevice => ({
  dev: optionName(driver.name, index),
  backend,
  hears: driver.reducer.facts?.['sim:chardev_received'] !== undefined,
});

/** What is given of a driver's properties. `said`: how a complaint begins. Throws a UsageProblem. */
export function propertiesOf(
  said: string,
  driver: Pick<AnyDriver, 'properties'>,
  { pairs }: Pick<CommaValue, 'pairs'>,
): Readonly<Record<string, PropertyValue>> {
  const given: Record<string, PropertyValue> = {};
  for (const [key, text] of pairs) {
    const property = driver.properties?.[key];
    if (property !== undefined) given[key] = again(property, given[key], meant(`${said}: ${key}`, property, text));
    else if (key === 'addr') given[key] = text;
  }
  return given;
}

/** The last one counts, but where each does. */
const again = (property: Property, before: PropertyValue | undefined, value: PropertyValue): PropertyValue =>
  property.type === 'str' && property.repeats === true && before !== undefined ? `${before}\n${value}` : value;

function meant(said: string, property: Property, text: string): PropertyValue {
  const value = READ[property.type](text);
  if (accepts(property, value)) return value;
  throw new UsageProblem(`${said}=${text} is not ${rangeOf(property)}.`);
}

const whole = (text: string): number => (/^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN);

const signed = (text: string): number => (text.startsWith('-') ? -whole(text.slice(1)) : whole(text));

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

function bytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+|0x[0-9a-f]+)([bkmgt]?)$/i.exec(text) ?? [];
  return number === '' ? Number.NaN : Number(number) * UNITS[unit.toLowerCase()]!;
}

/** What a text means as a property of each type; what it cannot mean is accepted by none. */
const READ: { readonly [T in Property['type']]: (text: string) => PropertyValue | undefined } = {
  uint8: whole,
  uint16: whole,
  uint32: whole,
  uint64: whole,
  int32: signed,
  size: bytes,
  str: (text) => text,
  bool: (text) => (/^(on|yes|true|y)$/.test(text) ? true : /^(off|no|false|n)$/.test(text) ? false : undefined),
};
