/** `-device help` and `-device NAME,help`, as QEMU 7.2 prints them. */
import { CATEGORIES, type AnyDriver } from '../devices/driver.ts';
import { optionDrivers, placeProperties } from '../vmm/pc/option-parts.ts';

/** Every driver, by what it is for. */
export function helpOfDrivers(): string {
  const drivers = [...optionDrivers()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const groups = CATEGORIES.flatMap((category) => {
    const lines = drivers.filter((driver) => driver.category === category).map(lineOf);
    return lines.length === 0 ? [] : [`${category} devices:\n${lines.join('\n')}`];
  });
  return groups.join('\n\n');
}

function lineOf({ name, bus, description }: AnyDriver): string {
  return `name "${name}", bus ${bus}${description === undefined ? '' : `, desc "${description}"`}`;
}

/** A driver's properties. */
export function helpOfDriver(driver: AnyDriver): string {
  const own = Object.entries(driver.properties ?? {}).map(([key, property]): Row => {
    const { type, default: usual, help } = property;
    const named = type === 'str' ? (property.choice?.type ?? type) : type;
    return [key, named, help, type === 'str' ? JSON.stringify(usual) : String(usual)];
  });
  const places = placeProperties(driver).map((key): Row => PLACES[key] as Row);
  const rows = [...own, ...places].sort(([a], [b]) => (a < b ? -1 : 1));
  if (rows.length === 0) return `There are no options for ${driver.name}.`;
  return [`${driver.name} options:`, ...rows.map(propertyLine)].join('\n');
}

type Row = readonly [key: string, type: string, help: string, usual: string | undefined];

const PLACES: Readonly<Record<string, Row>> = {
  addr: ['addr', 'int32', 'Slot and optional function number, example: 06.0 or 06', '-1'],
  chardev: ['chardev', 'str', 'ID of a chardev to use as a backend', undefined],
};

/** Where QEMU begins to say what a property is for. */
const COLUMN = 24;

const propertyLine = ([key, type, help, usual]: Row): string =>
  `${`  ${key}=<${type}>`.padEnd(COLUMN)} - ${help}${usual === undefined ? '' : ` (default: ${usual})`}`;
