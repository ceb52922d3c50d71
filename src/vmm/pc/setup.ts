import { Problem, shortly } from '../../base/problem.ts';
import type { AnyDriver } from '../../devices/driver.ts';
import { accepts, type Property, type PropertyValue, rangeOf } from '../../devices/properties.ts';

/** What there is to know about a machine to say what a property usually is. */
interface Usual {
  readonly smp: number;
  /** Properties a device has that its driver is not told of. */
  readonly others: readonly string[];
}

/** What a device is set up by: what was given, or else the default. `said`: how a complaint begins. */
export function setupOf(
  said: string,
  { properties = {} }: Pick<AnyDriver, 'properties'>,
  given: Readonly<Record<string, PropertyValue>>,
  { smp, others }: Usual = { smp: 1, others: [] },
): object {
  const known = [...Object.keys(properties), ...others];
  const stranger = Object.keys(given).find((key) => !known.includes(key));
  if (stranger !== undefined) {
    const what = known.length === 0 ? 'It has none.' : `There are ${known.sort().join(', ')}.`;
    throw new Problem(`${said}: there is no property '${shortly(stranger)}'. ${what}`);
  }
  const values = Object.entries(properties).map(([key, property]): [string, PropertyValue] => {
    const value = given[key] ?? usualOf(property, smp);
    if (accepts(property, value)) return [key, value];
    throw new Problem(`${said}: ${key}=${shortly(String(value))} is not ${rangeOf(property)}.`);
  });
  return Object.fromEntries(values);
}

const usualOf = (property: Property, smp: number): PropertyValue =>
  property.type !== 'str' && property.type !== 'bool' && property.usual === 'cpus' ? smp : property.default;
