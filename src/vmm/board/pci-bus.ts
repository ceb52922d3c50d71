import { configTarget, getConfig, messagesOf, movesRegions, pirqOf, placeOfBar } from '../../devices/pci/index.ts';
import { isPirqAsserted } from '../../devices/piix3/index.ts';
import { bindEventfds } from '../accel/eventfds.ts';
import { callOf, DeviceCall } from './device-call.ts';
import { ISA_BRIDGE } from './isa-bridge.ts';
import { vectorsChanged } from './messages.ts';
import { drivePin, routeIntx } from './pins.ts';
import type { Machine, Part } from './machine.ts';
import { allOnes } from '../memory/access.ts';
import { HOST_BRIDGE, type PciPart, pciPart } from './pci-parts.ts';

const CONFIG_DATA = 1;

/** True for the host bridge's CONFIG_DATA, which the bus answers by looking up the function it names. */
export function isConfigData(part: Part, region: number): boolean {
  return region === CONFIG_DATA && part.name === HOST_BRIDGE;
}

/** Read configuration space through CONFIG_DATA. Functions that are not there read all ones. */
export function readConfigData(machine: Machine, offset: number, size: number): number {
  const found = addressed(machine, offset);
  if (found === undefined) return allOnes(size);
  const { part, function: pci, state } = found.pci;
  pci.configRead?.(state, found.register, size, new DeviceCall(machine, part));
  const value = getConfig(state.config, found.register, size);
  machine.raise({ kind: 'pci_cfg_read', ...location(found.pci.part), offs: found.register, val: value });
  return value;
}

/** Write configuration space through CONFIG_DATA, and redraw the machine's memory when regions moved. */
export function writeConfigData(machine: Machine, offset: number, size: number, value: number): void {
  const found = addressed(machine, offset);
  if (found === undefined) return;
  const { pci, register } = found;
  const before = placedBars(pci);
  const moves = movesRegions(pci.function, pci.state, register, size, value);
  const pin = intxOf(machine, pci.part);
  const written = machine.after(
    machine.raise({ kind: 'pci_cfg_write', ...location(pci.part), offs: register, val: value, len: size }),
  );
  if (pin !== undefined) routeIntx(written, pin.pirq, pin.wasAsserted, callOf);
  if (pci.part.hasMessages) messagesWritten(written, pci);
  pci.function.configWritten?.(pci.state, register, size, new DeviceCall(written, pci.part));
  if (!moves) {
    bindEventfds(written, pci.part);
    return;
  }
  tellMappings(written, pci, before);
  written.board.type.remap(written);
}

/** The pin of a function, whose command register may keep it from the bridge: what the bridge sees before a write. */
function intxOf({ state }: Machine, part: Part): { readonly pirq: number; readonly wasAsserted: boolean } | undefined {
  const wire = part.wires['intx'];
  if (wire?.to !== 'intx') return undefined;
  const pirq = pirqOf(wire.slot, wire.pin);
  return { pirq, wasAsserted: isPirqAsserted(state.devices[ISA_BRIDGE], pirq) };
}

/** While messages are on the pin is low. */
function messagesWritten(machine: Machine, { part, function: pci, state }: PciPart): void {
  const isHigh = machine.state.pins[`${part.name}.intx`] === true;
  if (isHigh && messagesOf(pci, state) !== undefined) drivePin(machine, { part, name: 'intx', high: false }, callOf);
  vectorsChanged(machine, part, callOf);
}

function addressed(machine: Machine, offset: number): { pci: PciPart; register: number } | undefined {
  const target = configTarget(machine.state.devices[HOST_BRIDGE].configAddress, offset);
  if (target === undefined || target.bus !== 0) return undefined;
  const part = machine.parts.find(({ pci }) => pci?.slot === target.slot && pci.function === target.function);
  return part === undefined ? undefined : { pci: pciPart(machine, part), register: target.register };
}

type Location = { dev: string; bus: number; slot: number; func: number };

function location(part: Part): Location {
  return { dev: part.device.model, bus: 0, slot: part.pci!.slot, func: part.pci!.function };
}

function placedBars(pci: PciPart): (number | undefined)[] {
  return pci.function.bars.map((bar) => placeOfBar(pci.state, bar));
}

function tellMappings(machine: Machine, pci: PciPart, before: readonly (number | undefined)[]): void {
  const after = placedBars(pci);
  pci.function.bars.forEach((bar, index) => {
    const [was, is] = [before[index], after[index]];
    if (was === is) return;
    const shared = { ...location(pci.part), bar: bar.index, size: bar.size };
    if (was !== undefined) machine.raise({ kind: 'pci_update_mappings_del', ...shared, addr: was });
    if (is !== undefined) machine.raise({ kind: 'pci_update_mappings_add', ...shared, addr: is });
  });
}
