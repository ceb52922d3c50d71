import * as aml from './aml.ts';
import type { Aml } from './aml.ts';
import { isaDma, isaIrq, ports, resourceTemplate } from './resources.ts';

/** The ISA bridge's children, and the PIRQ registers the interrupt links use. */
export function isaDevices(serialLines: number): Aml {
  return [
    pirqRegisters(),
    isaDevice('KBD', 'PNP0303', [PRESENT, resources(ports(0x60, 1, 1), ports(0x64, 1, 1), isaIrq(1))]),
    isaDevice('MOU', 'PNP0F13', [PRESENT, resources(isaIrq(12))]),
    floppyController(),
    ...SERIAL_PORTS.slice(0, serialLines).map(({ base, irq }, line) => serialPort(line + 1, base, irq)),
    isaDevice('RTC', 'PNP0B00', [resources(ports(0x70, 1, 8), isaIrq(8))]),
  ].flat();
}

function pirqRegisters(): Aml {
  const registers = ['PRQ0', 'PRQ1', 'PRQ2', 'PRQ3'].map((name) => [name, 8] as const);
  return [
    ...aml.region('P40C', aml.SPACE.pciConfig, 0x60, 4),
    ...aml.scope('\\_SB', aml.field('PCI0.S08.P40C', aml.FIELD.byte, ...registers)),
  ];
}

/** No drives: the enumeration says so, tape "unknown". ACPI 9.9.2. */
function floppyController(): Aml {
  const enumeration = [...new Array<number>(16).fill(0), 2, 0, 0, 0];
  return isaDevice('FDC0', 'PNP0700', [
    resources(ports(0x3f2, 0, 4), ports(0x3f7, 0, 1), isaIrq(6), isaDma(2)),
    aml.name('_FDE', aml.buffer(enumeration)),
  ]);
}

function serialPort(number: number, base: number, irq: number): Aml {
  return isaDevice(`COM${number}`, 'PNP0501', [
    aml.name('_UID', number),
    PRESENT,
    resources(ports(base, 0, 8), isaIrq(irq)),
  ]);
}

const isaDevice = (name: string, id: string, terms: readonly Aml[]): Aml =>
  aml.device(name, aml.name('_HID', aml.eisaId(id)), ...terms);

const resources = (...descriptors: readonly (readonly number[])[]): Aml =>
  aml.name('_CRS', resourceTemplate(...descriptors));

const PRESENT: Aml = aml.name('_STA', 0x0f);

const SERIAL_PORTS = [
  { base: 0x3f8, irq: 4 },
  { base: 0x2f8, irq: 3 },
  { base: 0x3e8, irq: 4 },
  { base: 0x2e8, irq: 3 },
] as const;
