import type { Device, DeviceReducer, DriveInfo } from './device.ts';
import type { PropertiesOf, Property } from './properties.ts';
import type { Wires } from './wire.ts';

/** Buses as `-device help` names them. */
export type BusName = 'ISA' | 'PCI' | 'System';

/** Groups of `-device help`, in QEMU's order. */
export const CATEGORIES = [
  'Controller/Bridge/Hub',
  'USB',
  'Storage',
  'Network',
  'Input',
  'Display',
  'Sound',
  'Misc',
] as const;

/** What there is of a machine that a device's properties name. */
export interface Around {
  readonly drive?: DriveInfo | undefined;
  /** Pairs of queues of the tap on its wire; absent: no tap is. */
  readonly queues?: number | undefined;
}

/**
 * How a device model introduces itself: all that a machine, a command line and a reader of traces need to know of it.
 * A model's folder exports one as `driver`, and `catalog.ts` lists it. `S`: the device's state. `P`: what it is set up
 * by: the values of its properties, or for a device of the board whatever the board says.
 */
export interface Driver<S extends object, P extends object> {
  /** QEMU's name for `-device`. */
  readonly name: string;
  readonly description?: string;
  readonly bus: BusName;
  readonly category: (typeof CATEGORIES)[number];
  /** What `-device` takes. Without: the device is the board's, and not to be had by `-device`. */
  readonly properties?: PropertiesOf<P>;
  /** File of the expansion ROM that QEMU gives it by itself: whichever function that was made for, it is for this. */
  readonly romfile?: string;
  /** The device prints to a character device of the host, and hears from it: `-device NAME,chardev=ID`. */
  readonly chardev?: 'required' | 'optional';
  /**
   * What it is set up by, with what follows from the rest and from what it is for filled in. Throws a Problem for what
   * does not go together.
   */
  settle?(setup: P, around: Around): P;
  create(setup: P): Device<S>;
  /** State at power-on. */
  atReset(setup: P): S;
  readonly reducer: DeviceReducer<S>;
  /** Where what facts do depends on what it was set up by; for PCI functions. Without: `reducer`. */
  reducerOf?(setup: P): DeviceReducer<S>;
  /** What its pins lead to, where the board says nothing else. */
  wires?(setup: P): Wires;
}

/** A driver of whatever device. */
export interface AnyDriver extends Omit<Driver<object, object>, 'properties'> {
  readonly properties?: Readonly<Record<string, Property>>;
}
