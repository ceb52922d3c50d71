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
import type { MachineConfig, PartConfig, Wire } from '../config.ts';
import { DIRECT_BOOT, directBoot, directBootAtReset } from '../direct/reset-code.ts';
import { type FwCfgItems, fwCfg, fwCfgAtReset } from '../fw-cfg/device.ts';
import type { AnyDevice, Part } from '../board/machine.ts';
import type { DeviceModel } from '../models.ts';
import type { DeviceOption } from '../options.ts';
import type { DevicesState } from '../state.ts';
import { ramLayout } from './ram-layout.ts';

/** What of a machine's options decides which devices it has and how they come up. */
export type Board = Pick<MachineConfig, 'memory' | 'smp' | 'serialLines' | 'devices' | 'firmware'>;

/** A machine's configuration, with its parts. */
export function configOf(made: Omit<MachineConfig, 'parts'>): MachineConfig {
  return { ...made, parts: pcParts(made, NO_ITEMS).map(placeOf) };
}

/** State of every device of a machine nobody has switched on. */
export function devicesAtPowerOn(made: Board): DevicesState {
  const states = pcParts(made, NO_ITEMS).map((part): [string, object] => [part.name, part.atReset()]);
  return Object.fromEntries(states) as unknown as DevicesState;
}

const NO_ITEMS: FwCfgItems = new Map();

function placeOf({ name, model, bases, pci, wires }: Part): PartConfig {
  return { name, model, bases, wires, ...(pci === undefined ? {} : { pci }) };
}

/** The devices of a `pc` machine, on the board first, then those of `-device` in order. */
export function pcParts(made: Board, items: FwCfgItems): Part[] {
  const parts = [...boardParts(made), ...serialParts(made), fwCfgPart(items)];
  if (!made.firmware) parts.push(part(DIRECT_BOOT, 'directBoot', directBoot, directBootAtReset));
  for (const [index, option] of made.devices.entries()) parts.push(optionPart(option, index, freeSlot(parts)));
  return parts;
}

/** Name of the part behind a serial line. */
export const serialName = (line: number): string => `serial${line}`;

interface Seat {
  readonly pci?: { readonly slot: number; readonly function: number };
  readonly wires?: Readonly<Record<string, Wire>>;
  /** Where region 0 lies, if elsewhere than the model says. */
  readonly base?: number;
}

function part<S extends object>(
  name: string,
  model: DeviceModel,
  device: Pick<AnyDevice, 'regions' | 'timers'>,
  atReset: () => S,
  { pci, wires = {}, base }: Seat = {},
): Part {
  const bases = device.regions.map((region, index) => (index === 0 && base !== undefined ? base : region.base));
  const seat = pci === undefined ? {} : { pci };
  const timers = new Map(device.timers?.map((timer): [string, string] => [timer, `${name}.${timer}`]));
  return { name, model, device: device as AnyDevice, timers, atReset, bases, wires, ...seat };
}

function boardParts(made: Board): Part[] {
  const ram = ramLayout(made.memory * 2 ** 20);
  const rtc = { ramBelow4G: ram.below4g, ramAbove4G: ram.above4g, cpus: made.smp };
  return [
    ...pciBoardParts(made, ram.total),
    part('rtc', 'mc146818', mc146818, () => rtcAtReset(rtc), { wires: { irq: into('hpet', 'rtc') } }),
    part('hpet', 'hpet', hpet, hpetAtReset, { wires: { ...gsiWires('gsi', 24), pit_enable: { to: 'pit' } } }),
    part('i8042', 'i8042', i8042, i8042AtReset, { wires: { irq1: gsi(1), irq12: gsi(12) } }),
    part('port92', 'port92', port92, port92AtReset),
    part('i8237', 'i8237', i8237, i8237AtReset),
    part('debug-ports', 'debugPorts', debugPorts, debugPortsAtReset),
    part('kvmvapic', 'kvmvapic', kvmvapic, kvmvapicAtReset),
    part('cpu-hotplug', 'cpuHotplug', cpuHotplug(made.smp), cpuHotplugAtReset),
    part('pci-hotplug', 'pciHotplug', pciHotplug, pciHotplugAtReset),
  ];
}

function pciBoardParts({ serialLines }: Board, ramBytes: number): Part[] {
  const pm = { smm: false, com1: serialLines > 0, com2: serialLines > 1 };
  const ide = { pci: at(1, 1), wires: { irq14: gsi(14), irq15: gsi(15) } };
  return [
    part('i440fx', 'i440fx', i440fx, () => i440fxAtReset({ ramBytes }), { pci: at(0, 0) }),
    part('piix3', 'piix3', piix3, piix3AtReset, { pci: at(1, 0), wires: gsiWires('irq', 16) }),
    part('piix3-ide', 'piix3Ide', piix3Ide, piix3IdeAtReset, ide),
    part('piix4-pm', 'piix4Pm', piix4Pm, () => piix4PmAtReset(pm), { pci: at(1, 3), wires: { sci: gsi(9) } }),
  ];
}

const serialParts = ({ serialLines }: Board): Part[] =>
  SERIAL_LINES.slice(0, serialLines).map(({ base, irq }, line) =>
    part(serialName(line), 'uart16550', uart16550, () => uartAtReset(line), { base, wires: { irq: gsi(irq) } }),
  );

const fwCfgPart = (items: FwCfgItems): Part => part('fw_cfg', 'fwCfg', fwCfg(items), fwCfgAtReset);

/** The lowest PCI slot nobody has. */
function freeSlot(parts: readonly Part[]): number {
  let slot = 2;
  while (parts.some(({ pci }) => pci?.slot === slot)) slot++;
  return slot;
}

/** A device of the command line: QEMU's drivers and property names. PCI devices go to `slot` unless told where. */
function optionPart({ driver, properties }: DeviceOption, index: number, slot: number): Part {
  const name = `${driver}#${index}`;
  const property = (key: string, otherwise: number): number => {
    const value = properties[key];
    return value === undefined ? otherwise : Number(value);
  };
  switch (driver) {
    case 'isa-debug-exit': {
      const device = debugExitAt(property('iobase', 0x501), property('iosize', 2));
      return part(name, 'debugExit', device, debugExitAtReset);
    }
    case 'isa-debugcon': {
      const atReset = () => debugconAtReset(property('readback', 0xe9));
      return part(name, 'debugcon', debugcon, atReset, { base: property('iobase', 0xe9) });
    }
    case 'pc-testdev':
      return part(name, 'pcTestdev', pcTestdev, pcTestdevAtReset, { wires: gsiWires('irq', 24) });
    case 'pci-testdev':
      return part(name, 'pciTestdev', pciTestdev, pciTestdevAtReset, { pci: at(property('addr', slot), 0) });
    default:
      throw new Problem(`There is no device ${driver}; known are ${KNOWN_DRIVERS.join(', ')}.`);
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
