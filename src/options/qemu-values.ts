import type { Ns } from '../base/units.ts';
import { virtualNs } from '../base/virtual-time.ts';
import { UsageProblem } from './usage.ts';

/** An option's value in QEMU's comma form: `name,key=value,key=value`; `,,` stands for a comma. */
export interface CommaValue {
  /** The first part when it has no `=`. */
  readonly name: string | undefined;
  readonly properties: ReadonlyMap<string, string>;
  /** The same as they were written: of a property that comes several times `properties` has the last. */
  readonly pairs: readonly (readonly [key: string, value: string])[];
}

/** Take a value of QEMU's `-device`, `-chardev`, `-smp` or `-m` apart (qemu-options, util/keyval). */
export function commaValue(text: string): CommaValue {
  const parts = text.split(/(?<!,),(?!,)/).map((part) => part.replaceAll(',,', ','));
  const first = parts[0] as string;
  const name = first.includes('=') ? undefined : first;
  const pairs = (name === undefined ? parts : parts.slice(1)).map((part): [string, string] => {
    const equals = part.indexOf('=');
    return equals < 0 ? [part, 'on'] : [part.slice(0, equals), part.slice(equals + 1)];
  });
  return { name, properties: new Map(pairs), pairs };
}

/** Refuse a property nobody reads, so that no option is silently without effect. */
export function refuseOthers(option: string, value: CommaValue, known: readonly string[]): void {
  for (const key of value.properties.keys()) {
    if (!known.includes(key)) {
      throw new UsageProblem(`${option}: unknown property '${key}'. Known: ${known.join(', ')}.`);
    }
  }
}

/** A property that is on or off, where it is given. */
export function switchValue(option: string, { properties }: CommaValue, key: string): boolean | undefined {
  const given = properties.get(key);
  return given === undefined ? undefined : onOrOff(option, key, given);
}

/** What is given for a property that is on or off. */
export function onOrOff(option: string, key: string, given: string): boolean {
  if (given === 'on' || given === 'off') return given === 'on';
  throw new UsageProblem(`${option}: ${key} is on or off, not '${given}'.`);
}

const UNITS: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** A number with b, k, M, G or T in bytes, which need not be whole; without a letter in units of `unit`. NaN: none. */
export function bytesMeant(text: string, unit: 'b' | 'm'): number {
  const [, number = Number.NaN, letter = ''] = /^(\d+(?:\.\d+)?)([bkmgt]?)$/i.exec(text) ?? [];
  return Number(number) * UNITS[(letter || unit).toLowerCase()]!;
}

/** A size as QEMU reads one. */
export function sizeInBytes(option: string, text: string, unit: 'b' | 'm'): number {
  const bytes = Math.round(bytesMeant(text, unit));
  if (!Number.isNaN(bytes)) return bytes;
  throw new UsageProblem(`${option}: '${text}' is not a size. Write a number with k, M or G, like 256M.`);
}

/** Virtual time as a number with its unit, ns, us, ms or s: in nanoseconds. */
export function virtualTime(option: string, text: string, most: number): Ns {
  const ns = virtualNs(text);
  if (ns !== undefined && ns <= most) return ns;
  throw new UsageProblem(
    `${option}: '${text}' is not a time up to ${most / 1e9} s. Write one like 300us, 2ms or 1.5s.`,
  );
}

/** A whole number in decimal or 0x form within limits. */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new UsageProblem(`${option}: '${text}' is not a whole number from ${least} to ${most}.`);
}
