import type { AnyDriver } from '../../devices/driver.ts';
import { hasMessages, isPciFunction } from '../../devices/pci/index.ts';
import type { Wires } from '../../devices/wire.ts';
import { MAIN_LOOP, type Source } from '../../events/stamped.ts';
import type { Part } from '../board/machine.ts';
import type { DeviceModel } from '../models.ts';

/** Where a device sits. */
export interface Seat {
  readonly pci?: { readonly slot: number; readonly function: number };
  /** What its pins lead to, if elsewhere than its driver says. */
  readonly wires?: Wires;
  /** The thread it acts in, if not the main loop. */
  readonly thread?: Source;
}

/** A device in its seat. `setup` is of the kind the driver takes: whoever calls has made sure of it. */
export function seated(name: string, model: DeviceModel, driver: AnyDriver, setup: object, seat: Seat): Part {
  const device = driver.create(setup);
  return {
    name,
    model,
    device,
    timers: new Map(device.timers?.map((timer): [string, string] => [timer, `${name}.${timer}`])),
    thread: seat.thread ?? MAIN_LOOP,
    hasMessages: isPciFunction(device) && hasMessages(device),
    atReset: () => driver.atReset(setup),
    bases: device.regions.map(({ base }) => base),
    wires: seat.wires ?? driver.wires?.(setup) ?? {},
    ...(seat.pci === undefined ? {} : { pci: { ...seat.pci, setup } }),
  };
}
