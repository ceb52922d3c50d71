import { Problem } from '../../base/problem.ts';
import { debugExitAt, debugExitAtReset } from '../../devices/debug-exit/index.ts';
import { debugPorts, debugPortsAtReset } from '../../devices/debug-ports/index.ts';
import { debugcon, debugconAtReset } from '../../devices/debugcon/index.ts';
import { hpet, hpetAtReset } from '../../devices/hpet/index.ts';
import { i440fx, i440fxAtReset } from '../../devices/i440fx/index.ts';
import { i8042, i8042AtReset } from '../../devices/i8042/index.ts';
import { i8237, i8237AtReset } from '../../devices/i8237/index.ts';
import { kvmvapic, kvmvapicAtReset } from '../../devices/kvmvapic/index.ts';
import { mc146818, rtcAtReset } from '../../devices/mc146818/index.ts';
import { pcTestdev, pcTestdevAtReset } from '../../devices/pc-testdev/index.ts';
import { pciTestdev, pciTestdevAtReset } from '../../devices/pci-testdev/index.ts';
import { piix3, piix3AtReset } from '../../devices/piix3/index.ts';
import { piix3Ide, piix3IdeAtReset } from '../../devices/piix3-ide/index.ts';
import { piix4Pm, piix4PmAtReset } from '../../devices/piix4-pm/index.ts';
import { port92, port92AtReset } from '../../devices/port92/index.ts';
import { uart16550, uartAtReset } from '../../devices/uart16550/index.ts';
import { cpuHotplug, cpuHotplugAtReset, pciHotplug, pciHotplugAtReset } from '../acpi/hotplug.ts';
import { DIRECT_BOOT, directBoot, directBootAtReset } from '../direct/reset-code.ts';
import { fwCfg, fwCfgAtReset } from '../fw-cfg/device.ts';
import { firmwareItems } from '../fw-cfg/items.ts';
import type { Part, Wire } from '../machine.ts';
import type { DeviceOption, MachineOptions } from '../options.ts';
import type { ProcessorId } from './machine-tables.ts';
import { ramLayout } from './ram-layout.ts';

/** The devices of a `pc` machine, on the board first, then those of `-device` in order. */
export function pcParts(options: MachineOptions, wallClockAtPowerOn: bigint, processorId: ProcessorId): Part[] {
  const parts = [...boardParts(options, wallClockAtPowerOn), ...serialParts(options), fwCfgPart(options, processorId)];
  if (options.bios === undefined) {
    parts.push({ name: DIRECT_BOOT, device: directBoot, atReset: directBootAtReset, wires: {} });
  }
  for (const [index, option] of options.devices.entries()) parts.push(optionPart(option, index, freeSlot(parts)));
  return parts;
}

/** Name of the part behind a serial line. */
export const serialName = (line: number): string => `serial${line}`;

function boardParts(options: MachineOptions, wallClockAtPowerOn: bigint): Part[] {
  const ram = ramLayout(options.memory * 2 ** 20);
  const rtc = {
    wallClockSeconds: Number(wallClockAtPowerOn / 1_000_000_000n),
    ramBelow4G: ram.below4g,
    ramAbove4G: ram.above4g,
    cpus: options.smp,
  };
  return [
    ...pciBoardParts(options, ram.total),
    { name: 'rtc', device: mc146818, atReset: () => rtcAtReset(rtc), wires: { irq: into('hpet', 'rtc') } },
    { name: 'hpet', device: hpet, atReset: hpetAtReset, wires: { ...gsiWires('gsi', 24), pit_enable: { to: 'pit' } } },
    { name: 'i8042', device: i8042, atReset: i8042AtReset, wires: { irq1: gsi(1), irq12: gsi(12) } },
    { name: 'port92', device: port92, atReset: port92AtReset, wires: {} },
    { name: 'i8237', device: i8237, atReset: i8237AtReset, wires: {} },
    { name: 'debug-ports', device: debugPorts, atReset: debugPortsAtReset, wires: {} },
    { name: 'kvmvapic', device: kvmvapic, atReset: kvmvapicAtReset, wires: {} },
    { name: 'cpu-hotplug', device: cpuHotplug(options.smp), atReset: cpuHotplugAtReset, wires: {} },
    { name: 'pci-hotplug', device: pciHotplug, atReset: pciHotplugAtReset, wires: {} },
  ];
}

function pciBoardParts(options: MachineOptions, ramBytes: number): Part[] {
  const pm = { smm: false, com1: options.serialLines > 0, com2: options.serialLines > 1 };
  return [
    { name: 'i440fx', device: i440fx, atReset: () => i440fxAtReset({ ramBytes }), pci: at(0, 0), wires: {} },
    { name: 'piix3', device: piix3, atReset: piix3AtReset, pci: at(1, 0), wires: gsiWires('irq', 16) },
    {
      name: 'piix3-ide',
      device: piix3Ide,
      atReset: piix3IdeAtReset,
      pci: at(1, 1),
      wires: { irq14: gsi(14), irq15: gsi(15) },
    },
    { name: 'piix4-pm', device: piix4Pm, atReset: () => piix4PmAtReset(pm), pci: at(1, 3), wires: { sci: gsi(9) } },
  ];
}

function serialParts(options: MachineOptions): Part[] {
  return SERIAL_LINES.slice(0, options.serialLines).map(({ base, irq }, line) => ({
    name: serialName(line),
    device: uart16550,
    atReset: () => uartAtReset(line),
    bases: { 0: base },
    wires: { irq: gsi(irq) },
  }));
}

function fwCfgPart(options: MachineOptions, processorId: ProcessorId): Part {
  return { name: 'fw_cfg', device: fwCfg(firmwareItems(options, processorId)), atReset: fwCfgAtReset, wires: {} };
}

/** The lowest PCI slot nobody has. */
function freeSlot(parts: readonly Part[]): number {
  let slot = 2;
  while (parts.some((part) => part.pci?.slot === slot)) slot++;
  return slot;
}

/** A device of the command line: QEMU's drivers and property names. PCI devices go to `slot` unless told where. */
function optionPart(option: DeviceOption, index: number, slot: number): Part {
  const name = `${option.driver}#${index}`;
  const property = (key: string, otherwise: number): number => {
    const value = option.properties[key];
    return value === undefined ? otherwise : Number(value);
  };
  switch (option.driver) {
    case 'isa-debug-exit':
      return {
        name,
        device: debugExitAt(property('iobase', 0x501), property('iosize', 2)),
        atReset: debugExitAtReset,
        wires: {},
      };
    case 'isa-debugcon':
      return {
        name,
        device: debugcon,
        atReset: () => debugconAtReset(property('readback', 0xe9)),
        bases: { 0: property('iobase', 0xe9) },
        wires: {},
      };
    case 'pc-testdev':
      return { name, device: pcTestdev, atReset: pcTestdevAtReset, wires: gsiWires('irq', 24) };
    case 'pci-testdev':
      return { name, device: pciTestdev, atReset: pciTestdevAtReset, pci: at(property('addr', slot), 0), wires: {} };
    default:
      throw new Problem(`There is no device ${option.driver}; known are ${KNOWN_DRIVERS.join(', ')}.`);
  }
}

/** What -device takes. */
const KNOWN_DRIVERS = ['isa-debug-exit', 'isa-debugcon', 'pc-testdev', 'pci-testdev'];

/** COM1 to COM4. */
const SERIAL_LINES = [
  { base: 0x3f8, irq: 4 },
  { base: 0x2f8, irq: 3 },
  { base: 0x3e8, irq: 4 },
  { base: 0x2e8, irq: 3 },
] as const;

const gsi = (number: number): Wire => ({ to: 'gsi', gsi: number });

const into = (part: string, name: string): Wire => ({ to: 'input', part, name });

const at = (slot: number, fn: number): { slot: number; function: number } => ({ slot, function: fn });

function gsiWires(prefix: string, count: number): Record<string, Wire> {
  return Object.fromEntries(Array.from({ length: count }, (_, line) => [`${prefix}${line}`, gsi(line)]));
}
