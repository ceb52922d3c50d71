import { UsageProblem } from './usage.ts';

/** An option's value in QEMU's comma form: `name,key=value,key=value`; `,,` stands for a comma. */
export interface CommaValue {
  /** The first part when it has no `=`. */
  readonly name: string | undefined;
  readonly properties: ReadonlyMap<string, string>;
}

/** Take a value of QEMU's `-device`, `-chardev`, `-smp` or `-m` apart (qemu-options, util/keyval). */
export function commaValue(text: string): CommaValue {
  const parts = text.split(/(?<!,),(?!,)/).map((part) => part.replaceAll(',,', ','));
  const first = parts[0] as string;
  const name = first.includes('=') ? undefined : first;
  const properties = new Map<string, string>();
  for (const part of name === undefined ? parts : parts.slice(1)) {
    const equals = part.indexOf('=');
    properties.set(equals < 0 ? part : part.slice(0, equals), equals < 0 ? 'on' : part.slice(equals + 1));
  }
  return { name, properties };
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
  if (given === undefined || given === 'on' || given === 'off') return given === undefined ? undefined : given === 'on';
  throw new UsageProblem(`${option}: ${key} is on or off, not '${given}'.`);
}

const UNITS: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** A size as QEMU reads one: a number with b, k, M, G or T; without a letter in units of `unit`. */
export function sizeInBytes(option: string, text: string, unit: 'b' | 'm'): number {
  const match = /^(\d+(?:\.\d+)?)([bkmgt]?)$/i.exec(text);
  const factor = UNITS[(match?.[2] || unit).toLowerCase()];
  if (match === null || factor === undefined) {
    throw new UsageProblem(`${option}: '${text}' is not a size. Write a number with k, M or G, like 256M.`);
  }
  return Math.round(Number(match[1]) * factor);
}

/** A whole number in decimal or 0x form within limits. */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new UsageProblem(`${option}: '${text}' is not a whole number from ${least} to ${most}.`);
}
