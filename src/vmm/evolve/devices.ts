/** What facts do to the devices, each to its own state. */
import type { Draft } from '../../base/draft.ts';
import { invariant } from '../../base/invariant.ts';
import { configWritten, isIntxDisabled, type PciFunctionState, vectorPending } from '../../devices/pci/index.ts';
import { slotDriven } from '../../devices/piix3/index.ts';
import { NONE } from '../../events/origin.ts';
import type { Stamped } from '../../events/stamped.ts';
import type { EventKind, EventOf, MachineEvent } from '../../events/vocabulary.ts';
import { ISA_BRIDGE } from '../board/isa-bridge.ts';
import type { MachineConfig, PartConfig } from '../config.ts';
import { functionOf, reducerOf } from '../models.ts';
import { regionBaseOf } from '../memory/region-base.ts';
import { regionOf } from '../memory/region-number.ts';
import type { VmmState } from '../state.ts';

type Vmm = Draft<VmmState>;

const stateOf = (vmm: Vmm, part: PartConfig): object => (vmm.devices as unknown as Record<string, object>)[part.name]!;

/** Parts by name, for each configuration: facts of devices are most of what a machine with packets tells. No state. */
const PARTS = new WeakMap<MachineConfig, ReadonlyMap<string, PartConfig>>();

function partNamed(config: MachineConfig, name: string): PartConfig | undefined {
  const known = PARTS.get(config);
  if (known !== undefined) return known.get(name);
  const parts = new Map(config.parts.map((part) => [part.name, part]));
  PARTS.set(config, parts);
  return parts.get(name);
}

/** memory_region_ops_write. */
export function registerWritten(
  vmm: Vmm,
  event: EventOf<'memory_region_ops_write'>,
  config: MachineConfig,
  stamped: Stamped,
): void {
  const place = regionOf(event.mr);
  if (place === undefined) return;
  const part = config.parts[place.part];
  if (part === undefined) return;
  const base = regionBaseOf(vmm, part, place.region);
  if (base === undefined) return;
  const access = { region: place.region, offset: event.addr - base, size: event.size, value: event.value };
  invariant(access.offset >= 0, 'a region begins at its base', { offset: access.offset });
  reducerOf(part).written?.(stateOf(vmm, part), access, stamped);
}

/** sim:register_taken. */
export function registerTaken(vmm: Vmm, event: EventOf<'sim:register_taken'>, config: MachineConfig): void {
  const { dev, region, offset, size } = event;
  const part = partNamed(config, dev);
  if (part !== undefined) reducerOf(part).taken?.(stateOf(vmm, part), { region, offset, size });
}

/** sim:device_reset. */
export function deviceReset(vmm: Vmm, { dev }: EventOf<'sim:device_reset'>, config: MachineConfig): void {
  const part = partNamed(config, dev);
  if (part !== undefined) reducerOf(part).reset?.(stateOf(vmm, part));
}

/** sim:device_notified. */
export function deviceNotified(vmm: Vmm, { dev, id }: EventOf<'sim:device_notified'>, config: MachineConfig): void {
  const part = partNamed(config, dev);
  if (part !== undefined) reducerOf(part).notified?.(stateOf(vmm, part), id);
}

/** A packet is a device's now. */
export function packetTaken(vmm: Vmm, dev: string | undefined, bytes: string, config: MachineConfig): void {
  const part = dev === undefined ? undefined : partNamed(config, dev);
  if (part !== undefined) reducerOf(part).packetTaken?.(stateOf(vmm, part), bytes);
}

/** An input of a device is driven. */
export function inputDriven(vmm: Vmm, dev: string, input: string, high: boolean, config: MachineConfig): void {
  const part = partNamed(config, dev);
  if (part !== undefined) reducerOf(part).driven?.(stateOf(vmm, part), input, high);
}

/** A device's timer fired. */
export function timerFired(vmm: Vmm, id: string, config: MachineConfig): void {
  const dot = id.indexOf('.');
  const part = partNamed(config, id.slice(0, dot));
  if (part !== undefined) reducerOf(part).fired?.(stateOf(vmm, part), id.slice(dot + 1));
}

/** pci_cfg_write. */
export function configurationWritten(vmm: Vmm, event: EventOf<'pci_cfg_write'>, config: MachineConfig): void {
  const part = config.parts.find(({ pci }) => pci?.slot === event.slot && pci.function === event.func);
  const pci = part === undefined ? undefined : functionOf(part);
  if (part === undefined || pci === undefined) return;
  const state = functionState(vmm, part.name);
  configWritten(pci, state, event.offs, event.len, event.val);
  const wire = part.wires['intx'];
  if (wire?.to !== 'intx' || vmm.pins[`${part.name}.intx`] !== true) return;
  slotDriven(vmm.devices[ISA_BRIDGE], { slot: wire.slot, pin: wire.pin, high: !isIntxDisabled(state) });
}

/** State of a part that is a PCI function. */
export const functionState = (vmm: Vmm, dev: string): Draft<PciFunctionState> =>
  (vmm.devices as unknown as Record<string, object>)[dev] as Draft<PciFunctionState>;

/** sim:msi_pending. */
export function messagePending(
  vmm: Vmm,
  event: EventOf<'sim:msi_pending'>,
  config: MachineConfig,
  { cause }: Stamped,
): void {
  const part = partNamed(config, event.dev);
  const pci = part === undefined ? undefined : functionOf(part);
  if (pci !== undefined) vectorPending(pci, functionState(vmm, event.dev), event, cause ?? NONE);
}

/** A fact of a kind that is a device's own. */
export const deviceFact = <K extends EventKind>(
  name: (event: EventOf<K>) => string | undefined,
): ((vmm: Vmm, event: EventOf<K>, config: MachineConfig, stamped: Stamped) => void) =>
  deviceFactOf((_config, event) => name(event));

/** The same where it takes the machine's configuration to tell whose. */
export function deviceFactOf<K extends EventKind>(
  name: (config: MachineConfig, event: EventOf<K>) => string | undefined,
): (vmm: Vmm, event: EventOf<K>, config: MachineConfig, stamped: Stamped) => void {
  return (vmm, event, config, stamped) => {
    const dev = name(config, event);
    const part = dev === undefined ? undefined : partNamed(config, dev);
    if (part === undefined) return;
    const reduce = reducerOf(part).facts?.[event.kind] as AnyReduce | undefined;
    reduce?.(stateOf(vmm, part), event, stamped);
  };
}

/** A fact that concerns every device that has something to do about it. */
export const factForAll =
  <K extends EventKind>() =>
  (vmm: Vmm, event: EventOf<K>, config: MachineConfig, stamped: Stamped): void => {
    for (const { name } of config.parts) deviceFact<K>(() => name)(vmm, event, config, stamped);
  };

type AnyReduce = (state: object, event: MachineEvent, stamped: Stamped) => void;
