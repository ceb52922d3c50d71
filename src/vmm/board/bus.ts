/** Register accesses of a machine: each is one call of the device that owns the leaf, and one event. */
import type { MachineEvent } from '../../events/vocabulary.ts';
import { callOf, DeviceCall } from './device-call.ts';
import { bindEventfds } from '../accel/eventfds.ts';
import type { Machine, Part } from './machine.ts';
import { vectorsChanged } from './messages.ts';
import { allOnes } from '../memory/access.ts';
import type { FlatRange } from '../memory/flat-view.ts';
import { isConfigData, readConfigData, writeConfigData } from './pci-bus.ts';
import { regionNumber } from '../memory/region-number.ts';

export function readRegister(machine: Machine, range: FlatRange, offset: number, size: number): number {
  const value = readLeaf(machine, range, offset, size);
  machine.raise(accessed('memory_region_ops_read', machine, { range, offset, size, value }));
  return value;
}

export function writeRegister(machine: Machine, range: FlatRange, offset: number, size: number, value: number): void {
  const { handler } = range.leaf;
  const event = accessed('memory_region_ops_write', machine, { range, offset, size, value });
  if (handler === undefined) {
    machine.raise(event);
    return;
  }
  const part = machine.parts[handler.part]!;
  if (isConfigData(part, handler.region)) writeConfigData(machine.after(machine.raise(event)), offset, size, value);
  else writeDevice(machine, part, handler.region, { event, offset, size, value });
}

interface Access {
  readonly range: FlatRange;
  readonly offset: number;
  readonly size: number;
  readonly value: number;
}

function readLeaf(machine: Machine, range: FlatRange, offset: number, size: number): number {
  const { handler, readsOnes } = range.leaf;
  if (handler === undefined) return readsOnes === true ? allOnes(size) : 0;
  const part = machine.parts[handler.part]!;
  const { region } = handler;
  if (isConfigData(part, region)) return readConfigData(machine, offset, size);
  const call = new DeviceCall(machine, part, { kind: 'sim:register_taken', dev: part.name, region, offset, size });
  return part.device.read(machine.stateOf(part), region, offset, size, call);
}

interface DeviceWrite {
  readonly event: MachineEvent;
  readonly offset: number;
  readonly size: number;
  readonly value: number;
}

function writeDevice(machine: Machine, part: Part, region: number, { event, offset, size, value }: DeviceWrite): void {
  const call = new DeviceCall(machine, part, event);
  part.device.write?.(machine.stateOf(part), region, offset, size, value, call);
  call.finish(part.device.write === undefined);
  bindEventfds(machine, part);
  if (part.hasMessages) vectorsChanged(call.since, part, callOf);
}

function accessed(
  kind: 'memory_region_ops_read' | 'memory_region_ops_write',
  machine: Machine,
  { range, offset, size, value }: Access,
): MachineEvent {
  const { handler } = range.leaf;
  return {
    kind,
    cpu_index: machine.cpu,
    mr: handler === undefined ? 0 : regionNumber(handler.part, handler.region),
    addr: range.start - range.offset + offset,
    value,
    size,
    name: range.leaf.name,
  };
}
