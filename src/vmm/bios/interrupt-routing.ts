import { little } from '../acpi/aml.ts';
import { checksum } from '../acpi/tables.ts';

/**
 * The table of PCI interrupt routing: which pin of which slot leads to which PIRQ register of the ISA bridge. Microsoft
 * PCI IRQ Routing Table Specification 1.0.
 */
export function interruptRouting(): Uint8Array {
  const slots = Array.from({ length: SLOTS }, (_, index) => slotEntry(index + 1, index));
  const table = Uint8Array.from([
    ...[0x24, 0x50, 0x49, 0x52], // $PIR
    ...little(0x0100, 2), // version 1.0
    ...little(HEADER_LENGTH + SLOTS * ENTRY_LENGTH, 2),
    ...[0, ISA_BRIDGE],
    ...little(0, 2), // no line is PCI's alone
    ...little(PIIX, 4),
    ...little(0, 4),
    ...little(0, 12),
    ...slots.flat(),
  ]);
  table[TABLE_CHECKSUM] = checksum(table);
  return table;
}

/** The first slot is the board itself, the others are numbered as a person sees them. */
function slotEntry(device: number, number: number): number[] {
  const pins = Array.from({ length: 4 }, (_, pin) => [PIRQ_A + ((device - 1 + pin) % 4), ...little(POSSIBLE_LINES, 2)]);
  return [0, device << 3, ...pins.flat(), number, 0];
}

const HEADER_LENGTH = 32;
const ENTRY_LENGTH = 16;
const TABLE_CHECKSUM = 31;
const SLOTS = 6;
const ISA_BRIDGE = 1 << 3;
/** 8086:122e: the bridge whose registers work alike. */
const PIIX = 0x122e8086;
const PIRQ_A = 0x60;
/** 3 to 7, 9 to 12, 14 and 15. */
const POSSIBLE_LINES = 0xdef8;
