import type { I440fxState } from '../devices/i440fx/index.ts';
import { configTarget, getConfig, regionBase, writeConfig } from '../devices/pci/index.ts';
import type { Machine, Part } from './machine.ts';
import { allOnes } from './memory/access.ts';
import { remap } from './pc/remap.ts';
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
  const value = getConfig(found.pci.state.config, found.register, size);
  machine.host.raise({ kind: 'pci_cfg_read', ...location(found.pci.part), offs: found.register, val: value });
  return value;
}

/** Write configuration space through CONFIG_DATA, and redraw the machine's memory when regions moved. */
export function writeConfigData(machine: Machine, offset: number, size: number, value: number): void {
  const found = addressed(machine, offset);
  if (found === undefined) return;
  const { pci, register } = found;
  machine.host.raise({ kind: 'pci_cfg_write', ...location(pci.part), offs: register, val: value });
  const before = placedBars(pci);
  const moved = writeConfig(pci.function, pci.state, register, size, value, machine.effects[pci.index]!);
  if (!moved) return;
  raiseMappings(machine, pci, before);
  remap(machine);
}

function addressed(machine: Machine, offset: number): { pci: PciPart; register: number } | undefined {
  const bridge = machine.state.devices[HOST_BRIDGE] as I440fxState;
  const target = configTarget(bridge.configAddress, offset);
  if (target === undefined || target.bus !== 0) return undefined;
  const index = machine.parts.findIndex(
    (part) => part.pci?.slot === target.slot && part.pci.function === target.function,
  );
  return index < 0 ? undefined : { pci: pciPart(machine, index), register: target.register };
}

type Location = { dev: string; bus: number; slot: number; func: number };

function location(part: Part): Location {
  return { dev: part.device.model, bus: 0, slot: part.pci!.slot, func: part.pci!.function };
}

function placedBars(pci: PciPart): (number | undefined)[] {
  return pci.function.bars.map((bar) => regionBase(pci.function, pci.state, bar.region));
}

function raiseMappings(machine: Machine, pci: PciPart, before: readonly (number | undefined)[]): void {
  const after = placedBars(pci);
  pci.function.bars.forEach((bar, index) => {
    if (before[index] === after[index]) return;
    const shared = { ...location(pci.part), bar: bar.index, size: bar.size };
    if (before[index] !== undefined) {
      machine.host.raise({ kind: 'pci_update_mappings_del', ...shared, addr: before[index] });
    }
    if (after[index] !== undefined) {
      machine.host.raise({ kind: 'pci_update_mappings_add', ...shared, addr: after[index] });
    }
  });
}
