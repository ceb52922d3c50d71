/** Devices of a machine that stands still, by the names people give them. */
import { orNearest } from '../../base/nearest.ts';
import { Problem, shortly } from '../../base/problem.ts';
import type { PciFunction, PciFunctionState } from '../../devices/pci/index.ts';
import type { VirtioFunctionState } from '../../devices/virtio/index.ts';
import type { GuestView } from '../../machine/guest-view.ts';
import type { PartConfig } from '../../vmm/config.ts';
import type { DeviceOption } from '../../vmm/options.ts';
import { driverOf, functionOf } from '../../vmm/models.ts';

/** A PCI function as it is now. */
export interface FunctionSeen {
  readonly part: PartConfig;
  readonly pci: PciFunction<PciFunctionState>;
  readonly state: PciFunctionState;
  /** QEMU's name of its driver. */
  readonly driver: string;
  /** What a person calls it; empty: nothing. */
  readonly id: string;
}

/** A virtio device as it is now. */
export interface VirtioSeen extends FunctionSeen {
  readonly state: VirtioFunctionState;
}

const stateOf = ({ machine }: GuestView, name: string): object | undefined =>
  (machine.state.vmm.devices as unknown as Readonly<Record<string, object | undefined>>)[name];

/** Every function of the bus, by slot and function. */
export function functionsOf(view: GuestView): FunctionSeen[] {
  const found = view.machine.state.config.parts.flatMap((part) => {
    const pci = functionOf(part);
    const state = stateOf(view, part.name) as PciFunctionState | undefined;
    return pci === undefined || state === undefined
      ? []
      : [{ part, pci, state, driver: driverOf(part.model).name, id: idOf(view, part) }];
  });
  const place = ({ part: { pci } }: FunctionSeen): number => pci!.slot * 8 + pci!.function;
  return found.sort((one, other) => place(one) - place(other));
}

/** Whether a function is one of virtio. */
export const isVirtio = (seen: FunctionSeen): seen is VirtioSeen => 'queues' in seen.state && 'popped' in seen.state;

export const virtioDevices = (view: GuestView): VirtioSeen[] => functionsOf(view).filter(isVirtio);

/** The one of some that somebody names, by its id, its whole name or how that begins. */
export function named<T extends { readonly part: PartConfig; readonly id: string }>(
  some: readonly T[],
  name: string,
  what: string,
): T {
  const byId = some.find(({ id }) => id === name);
  if (byId !== undefined) return byId;
  const names = some.map(({ part }) => part.name);
  const fitting = some.filter(({ part }) => part.name === name || part.name.startsWith(name));
  const exact = fitting.find(({ part }) => part.name === name) ?? (fitting.length === 1 ? fitting[0] : undefined);
  if (exact !== undefined) return exact;
  const known =
    names.length === 0 ? 'There is none.' : `There ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}.`;
  const start = `No ${what} is named ${shortly(name)}`;
  throw new Problem(fitting.length > 1 ? `${start} alone. ${known}` : `${start}${orNearest(name, names)} ${known}`);
}

/** A device as `-device` asked for it, by the number in its name; undefined: it is the board's. */
export function optionOf({ machine }: GuestView, { name }: PartConfig): DeviceOption | undefined {
  const index = /#(\d+)$/.exec(name)?.[1];
  return index === undefined ? undefined : machine.state.config.devices[Number(index)];
}

/** What a person calls a device; empty: nothing. */
export const idOf = (view: GuestView, part: PartConfig): string => optionOf(view, part)?.id ?? '';

/** Where QEMU's object model has a device of `-device`. */
export function objectPath(view: GuestView, part: PartConfig): string {
  const option = optionOf(view, part);
  if (option?.id !== undefined) return `/machine/peripheral/${option.id}`;
  const nameless = view.machine.state.config.devices.filter(({ id }) => id === undefined);
  return `/machine/peripheral-anon/device[${option === undefined ? part.name : nameless.indexOf(option)}]`;
}
