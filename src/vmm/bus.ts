import type { MachineEvent } from '../events/vocabulary.ts';
import { bindEventfds, clearEventfd } from './eventfds.ts';
import type { Machine } from './machine.ts';
import { allOnes, type RegisterBus } from './memory/access.ts';
import type { FlatRange } from './memory/flat-view.ts';
import { isConfigData, readConfigData, writeConfigData } from './pci-bus.ts';

/** Register accesses of a machine: each is one call of the device that owns the leaf, and one event. */
export function registerBus(machine: () => Machine): RegisterBus {
  return {
    read: (range, offset, size) => {
      const value = readLeaf(machine(), range, offset, size);
      machine().host.raise(accessed('memory_region_ops_read', machine(), { range, offset, size, value }));
      return value;
    },
    write: (range, offset, size, value) => {
      machine().host.raise(accessed('memory_region_ops_write', machine(), { range, offset, size, value }));
      writeLeaf(machine(), { range, offset, size, value });
    },
  };
}

interface Access {
  readonly range: FlatRange;
  readonly offset: number;
  readonly size: number;
  readonly value: number;
}

function readLeaf(machine: Machine, range: FlatRange, offset: number, size: number): number {
  const handler = range.leaf.handler;
  if (handler === undefined) return allOnes(size);
  const part = machine.parts[handler.part]!;
  if (isConfigData(part, handler.region)) return readConfigData(machine, offset, size);
  if (part.device.eventfd !== undefined) clearEventfd(machine, part.name);
  const state = machine.state.devices[part.name]!;
  return part.device.read(state, handler.region, offset, size, machine.effects[handler.part]!);
}

function writeLeaf(machine: Machine, { range, offset, size, value }: Access): void {
  const handler = range.leaf.handler;
  if (handler === undefined) return;
  const part = machine.parts[handler.part]!;
  if (isConfigData(part, handler.region)) {
    writeConfigData(machine, offset, size, value);
    return;
  }
  const state = machine.state.devices[part.name]!;
  part.device.write(state, handler.region, offset, size, value, machine.effects[handler.part]!);
  if (part.device.eventfd !== undefined) bindEventfds(machine);
}

function accessed(
  kind: 'memory_region_ops_read' | 'memory_region_ops_write',
  machine: Machine,
  { range, offset, size, value }: Access,
): MachineEvent {
  const handler = range.leaf.handler;
  return {
    kind,
    cpu_index: machine.cpu,
    mr: handler === undefined ? 0 : handler.part * REGIONS_LIMIT + handler.region + 1,
    addr: range.start - range.offset + offset,
    value,
    size,
    name: range.leaf.name,
  };
}

/** More regions than any device has: keeps the numbers of leaves apart. */
const REGIONS_LIMIT = 16;
