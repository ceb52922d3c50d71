import { debugExitAt, debugExitAtReset } from '../../devices/debug-exit/index.ts';
import { debugcon, debugconAtReset } from '../../devices/debugcon/index.ts';
import { i440fx, i440fxAtReset } from '../../devices/i440fx/index.ts';
import { mc146818, rtcAtReset } from '../../devices/mc146818/index.ts';
import { piix3, piix3AtReset } from '../../devices/piix3/index.ts';
import { piix4Pm, piix4PmAtReset } from '../../devices/piix4-pm/index.ts';
import { uart16550, uartAtReset } from '../../devices/uart16550/index.ts';
import { Problem } from '../../base/problem.ts';
import { fwCfg, fwCfgAtReset } from '../fw-cfg/device.ts';
import { firmwareItems } from '../fw-cfg/items.ts';
import type { Part, Wire } from '../machine.ts';
import type { DeviceOption, MachineOptions } from '../options.ts';
import { ramLayout } from './ram-layout.ts';

/** The devices of a `pc` machine, on the board first, then those of `-device` in order. */
export function pcParts(options: MachineOptions, wallClockAtPowerOn: bigint): Part[] {
  const parts = [...boardParts(options, wallClockAtPowerOn), ...serialParts(options), fwCfgPart(options)];
  options.devices.forEach((option, index) => {
    parts.push(optionPart(option, index));
  });
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
  const pm = { smm: false, com1: options.serialLines > 0, com2: options.serialLines > 1 };
  return [
    { name: 'i440fx', device: i440fx, atReset: () => i440fxAtReset({ ramBytes: ram.total }), pci: { slot: 0, function: 0 }, wires: {} },
    { name: 'piix3', device: piix3, atReset: piix3AtReset, pci: { slot: 1, function: 0 }, wires: isaWires() },
    {
      name: 'piix4-pm',
      device: piix4Pm,
      atReset: () => piix4PmAtReset(pm),
      pci: { slot: 1, function: 3 },
      wires: { sci: gsi(9) },
    },
    { name: 'rtc', device: mc146818, atReset: () => rtcAtReset(rtc), wires: { irq: gsi(8) } },
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

function fwCfgPart(options: MachineOptions): Part {
  return { name: 'fw_cfg', device: fwCfg(firmwareItems(options)), atReset: fwCfgAtReset, wires: {} };
}

/** A device of the command line. QEMU's drivers and property names. */
function optionPart(option: DeviceOption, index: number): Part {
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

function isaWires(): Record<string, Wire> {
  return Object.fromEntries(Array.from({ length: 16 }, (_, irq) => [`irq${irq}`, gsi(irq)]));
}
