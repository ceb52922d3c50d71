import { type Aml, buffer, little } from './aml.ts';

/** Resource descriptors, ended and wrapped as a buffer. ACPI specification 6.4, 6.4. */
export const resourceTemplate = (...descriptors: readonly (readonly number[])[]): Aml =>
  buffer([...descriptors.flat(), ...END]);

/** Fixed 16-bit decoded ports. 6.4.2.5. */
export const ports = (base: number, alignment: number, length: number): number[] => [
  0x47,
  0x01,
  ...little(base, 2),
  ...little(base, 2),
  alignment,
  length,
];

/** ISA interrupt without flags: edge, active high. 6.4.2.1. */
export const isaIrq = (irq: number): number[] => [0x22, ...little(1 << irq, 2)];

/** ISA DMA channel, compatibility timing, 8 bits. 6.4.2.2. */
export const isaDma = (channel: number): number[] => [0x2a, 1 << channel, 0x00];

/** Level, active high, shared interrupts a device may have. 6.4.3.6. */
export const interrupts = (...gsis: readonly number[]): number[] => [
  0x89,
  ...little(2 + 4 * gsis.length, 2),
  0x09,
  gsis.length,
  ...gsis.flatMap((gsi) => little(gsi, 4)),
];

/** Read-only fixed memory. 6.4.3.4. */
export const fixedMemory = (base: number, length: number): number[] => [
  0x86,
  ...little(9, 2),
  0x00,
  ...little(base, 4),
  ...little(length, 4),
];

/** What a bridge hands down: bus numbers, ports or memory, both ends fixed. 6.4.3.5. */
export function window(
  kind: 'bus' | 'io' | 'cached' | 'uncached',
  width: 2 | 4 | 8,
  first: number,
  last: number,
): number[] {
  const tag = { 2: 0x88, 4: 0x87, 8: 0x8a }[width];
  const type = { bus: 2, io: 1, cached: 0, uncached: 0 }[kind];
  const specific = { bus: 0, io: 3, cached: 3, uncached: 1 }[kind];
  const values = [0, first, last, 0, last - first + 1].flatMap((value) => little(value, width));
  return [tag, ...little(3 + values.length, 2), type, FIXED_BOTH_ENDS, specific, ...values];
}

const FIXED_BOTH_ENDS = 0x0c;
const END = [0x79, 0x00];
