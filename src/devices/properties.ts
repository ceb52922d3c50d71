/** Properties a driver takes on the command line: QEMU's names, types and defaults. */

/** What `-device` gives a property. */
export type PropertyValue = string | number | boolean;

interface Described<T extends PropertyValue> {
  readonly default: T;
  readonly help: string;
}

/** A number, with the least and the most it may be. */
export interface NumberProperty extends Described<number> {
  /** `size`: bytes, with a unit if one likes. */
  readonly type: 'uint8' | 'uint16' | 'int32' | 'uint32' | 'uint64' | 'size';
  /** Unless it is given it is the number of the machine's processors. */
  readonly usual?: 'cpus';
  readonly least: number;
  readonly most: number;
}

/** On or off. */
export interface SwitchProperty extends Described<boolean> {
  readonly type: 'bool';
}

export interface TextProperty extends Described<string> {
  readonly type: 'str';
  /**
   * It is an `id`: of a drive that no other device has, and has to be given; of an I/O thread, in which the device then
   * acts; of an object entropy comes from; of a net client at the other end of its wire, which no other device has.
   */
  readonly names?: 'drive' | 'iothread' | 'rng' | 'netdev';
  /** It is a MAC address. The default, which is none, becomes one that no other NIC of the machine has. */
  readonly isMac?: true;
  /** It may be given again: what it is then has a line for each. */
  readonly repeats?: true;
  /** It is one of these, and QEMU calls their type so. */
  readonly choice?: { readonly type: string; readonly of: readonly string[] };
}

export type Property = NumberProperty | SwitchProperty | TextProperty;

/** The property by which a value of a setup is given. */
type PropertyFor<V> = V extends number
  ? NumberProperty
  : V extends boolean
    ? SwitchProperty
    : V extends string
      ? TextProperty
      : never;

/**
 * A property for each value a device is set up by: one that is missing does not compile. What is an object is given
 * otherwise.
 */
export type PropertiesOf<P extends object> = {
  readonly [K in keyof P & string as P[K] extends object | undefined ? never : K]: PropertyFor<P[K]>;
};

type Range = readonly [least: number, most: number];

/** The most of each type. What has 64 bits goes as far as numbers are exact. */
const MOST = {
  ...{ uint8: 0xff, uint16: 0xffff, int32: 0x7fff_ffff, uint32: 0xffff_ffff },
  ...{ uint64: Number.MAX_SAFE_INTEGER, size: Number.MAX_SAFE_INTEGER },
} as const;

const numberOf =
  (type: NumberProperty['type']) =>
  (otherwise: number, help: string, [least, most]: Range = [0, MOST[type]]): NumberProperty => ({
    type,
    default: otherwise,
    help,
    least,
    most,
  });

/** @public All of them, for whoever writes a device. */
export const uint8 = numberOf('uint8');
/** @public */
export const uint16 = numberOf('uint16');
export const int32 = numberOf('int32');
export const uint32 = numberOf('uint32');
/** @public */
export const uint64 = numberOf('uint64');
export const size = numberOf('size');

/** What QEMU wants of sizes, mostly. */
export const isPowerOf2 = (value: number): boolean => Number.isInteger(Math.log2(value));

/** The first of `length` I/O ports: QEMU calls it `iobase`. */
export const ioBase = (otherwise: number, length = 1): NumberProperty =>
  uint32(otherwise, 'First I/O port', [0, 0x1_0000 - length]);

/** @public */
export const bool = (otherwise: boolean, help: string): SwitchProperty => ({ type: 'bool', default: otherwise, help });

export const text = (otherwise: string, help: string): TextProperty => ({ type: 'str', default: otherwise, help });

/** QEMU's OnOffAuto. */
export const onOffAuto = (help: string): TextProperty => ({
  type: 'str',
  default: 'auto',
  help,
  choice: { type: 'OnOffAuto', of: ['on', 'off', 'auto'] },
});

/** The I/O thread a device acts in, if it does not in the main loop. */
export const iothreadId: TextProperty = {
  type: 'str',
  default: '',
  help: 'The I/O thread it acts in',
  names: 'iothread',
};

/** The object a device gets entropy from. */
export const rngId: TextProperty = { type: 'str', default: '', help: 'The object it gets entropy from', names: 'rng' };

/** Who is at the other end of a NIC's wire. */
export const netdevId: TextProperty = {
  type: 'str',
  default: '',
  help: 'Who is at the other end of its wire',
  names: 'netdev',
};

/** Pairs of queues of a tap or a card at most: more than there are processors. */
export const MOST_PAIRS = 16;

/** A NIC's own address. */
export const macAddress: TextProperty = {
  type: 'str',
  default: '',
  help: 'Its MAC address, like 52:54:00:12:34:56',
  isMac: true,
};

const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i;

/** @public The drive a device is for. */
export const driveId = (help: string): TextProperty => ({ type: 'str', default: '', help, names: 'drive' });

/** Whether a property can have a value. */
export function accepts(property: Property, value: unknown): value is PropertyValue {
  if (property.type === 'str') return typeof value === 'string' && acceptsText(property, value);
  if (property.type === 'bool') return typeof value === 'boolean';
  return Number.isSafeInteger(value) && (value as number) >= property.least && (value as number) <= property.most;
}

function acceptsText({ choice, isMac, default: usual }: TextProperty, value: string): boolean {
  if (isMac === true && value !== usual) return MAC.test(value);
  return choice?.of.includes(value) ?? true;
}

/** What a property can be, as the end of a sentence: `is not ...`. */
export function rangeOf(property: Property): string {
  if (property.type === 'str' && property.isMac === true) return 'a MAC address like 52:54:00:12:34:56';
  if (property.type === 'str') return property.choice?.of.join(', ') ?? 'text';
  if (property.type === 'bool') return 'on or off';
  return `a whole number from ${property.least} to ${property.most}`;
}
