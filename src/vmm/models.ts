/** Every model a machine may be made of, by the name a part gives it. */
import * as DEVICES from '../devices/catalog.ts';
import type { Device, DeviceReducer } from '../devices/device.ts';
import type { AnyDriver } from '../devices/driver.ts';
import { driver as bridge } from '../net/bridge/index.ts';
import * as BACKENDS from '../net/catalog.ts';
import { isPciFunction, type PciFunction, type PciFunctionState } from '../devices/pci/index.ts';

/** What no option names by itself. */
const OTHERS = { bridge };

type Drivers = typeof DEVICES & typeof BACKENDS & typeof OTHERS;

export type DeviceModel = keyof Drivers;

/** The state of a model's devices. */
export type StateOf<M extends DeviceModel> = ReturnType<Drivers[M]['atReset']>;

/** What a model's devices are set up by. */
export type SetupOf<M extends DeviceModel> = Parameters<Drivers[M]['create']>[0];

/** The state of a device that `-device` added. */
export type OptionState = StateOf<DeviceModel>;

const BY_MODEL: Readonly<Record<DeviceModel, AnyDriver>> = { ...DEVICES, ...BACKENDS, ...OTHERS };

/** A model's driver, for whoever knows its state only as some device's. */
export const driverOf = (model: DeviceModel): AnyDriver => BY_MODEL[model];

type Catalog = readonly (readonly [DeviceModel, AnyDriver])[];

/** Each model of a device with its driver. */
export const drivers = (): Catalog => Object.entries<AnyDriver>(DEVICES) as [DeviceModel, AnyDriver][];

/** Each model of a backend of `-netdev` with its driver. */
export const backends = (): Catalog => Object.entries<AnyDriver>(BACKENDS) as [DeviceModel, AnyDriver][];

/** What facts do to a part. */
export function reducerOf(part: OfModel): DeviceReducer<object> {
  return part.pci === undefined ? driverOf(part.model).reducer : madeFrom(part.model, part.pci.setup).reducer;
}

interface Made {
  readonly device: Device<object>;
  readonly reducer: DeviceReducer<object>;
}

/** Made once for each setup, which nothing changes. */
const MADE = new WeakMap<object, Made>();

function madeFrom(model: DeviceModel, setup: object): Made {
  const known = MADE.get(setup);
  if (known !== undefined) return known;
  const driver = driverOf(model);
  const made = { device: driver.create(setup), reducer: driver.reducerOf?.(setup) ?? driver.reducer };
  MADE.set(setup, made);
  return made;
}

/** What of a part says what it is. */
interface OfModel {
  readonly model: DeviceModel;
  /** What a PCI function was made from. */
  readonly pci?: { readonly setup: object };
}

/** The PCI function a part is; undefined: it is none. */
export function functionOf({ model, pci }: OfModel): PciFunction<PciFunctionState> | undefined {
  if (pci === undefined) return undefined;
  const { device } = madeFrom(model, pci.setup);
  return isPciFunction(device) ? device : undefined;
}
