import { dsdtBody, type DsdtOptions } from './dsdt.ts';
import { little } from './aml.ts';

/** A field of a table that holds the address of another place in the same blob. */
export interface Pointer {
  /** Offset of the four-byte field. */
  readonly at: number;
  /** Offset it leads to. */
  readonly to: number;
}

/** One table in the blob: where it lies, for its checksum. */
export interface TablePlace {
  readonly signature: string;
  readonly offset: number;
  readonly length: number;
}

/** All tables one after the other; pointers hold offsets in the blob until a loader places it. */
export interface AcpiBlob {
  readonly bytes: Uint8Array;
  readonly pointers: readonly Pointer[];
  /** In the order they were built; FACS has no checksum and is not among them. */
  readonly tables: readonly TablePlace[];
  readonly rsdt: number;
}

/** Build the tables QEMU 7.2's `pc` machine describes itself with. */
export function acpiBlob(options: DsdtOptions): AcpiBlob {
  let blob = facs();
  const tables: TablePlace[] = [];
  const pointers: Pointer[] = [];
  const append = (signature: string, body: readonly number[]): number => {
    const offset = blob.length;
    const length = HEADER_LENGTH + body.length;
    blob = blob.concat(header(signature, length), body);
    tables.push({ signature, offset, length });
    return offset;
  };
  const dsdt = append('DSDT', dsdtBody(options));
  const fadtAt = append('FACP', fadt());
  pointers.push({ at: fadtAt + FADT_FIRMWARE_CTRL, to: 0 }, { at: fadtAt + FADT_DSDT, to: dsdt });
  const listed = [fadtAt, append('APIC', madt(options.cpus)), append('HPET', hpet()), append('WAET', little(2, 4))];
  const rsdt = append(
    'RSDT',
    listed.flatMap(() => little(0, 4)),
  );
  listed.forEach((to, index) => {
    pointers.push({ at: rsdt + HEADER_LENGTH + 4 * index, to });
  });
  return { bytes: withPointers(Uint8Array.from(blob), pointers, 0), pointers, tables, rsdt };
}

/** Root pointer, revision 0, to an RSDT at `rsdt`; its checksum still to fill in. ACPI 6.4, 5.2.5.3. */
export function rsdp(rsdt: number): Uint8Array {
  return Uint8Array.from([...ascii('RSD PTR '), 0, ...ascii(OEM_ID), 0, ...little(rsdt, 4)]);
}

/** Offset of the RSDT's address in the root pointer, and of its checksum. */
export const RSDP = { length: 20, checksum: 8, rsdtAddress: 16 } as const;

/** Offset of a table's checksum. ACPI 6.4, 5.2.6. */
export const TABLE_CHECKSUM = 9;

/** Fill in addresses and checksums for tables that lie at `base`. */
export function placeAcpi(blob: AcpiBlob, base: number): { tables: Uint8Array; rsdp: Uint8Array } {
  const tables = withPointers(blob.bytes.slice(), blob.pointers, base);
  for (const { offset, length } of blob.tables) {
    tables[offset + TABLE_CHECKSUM] = checksum(tables.subarray(offset, offset + length));
  }
  const root = rsdp(base + blob.rsdt);
  root[RSDP.checksum] = checksum(root);
  return { tables, rsdp: root };
}

function withPointers(bytes: Uint8Array, pointers: readonly Pointer[], base: number): Uint8Array {
  const view = new DataView(bytes.buffer);
  for (const { at, to } of pointers) view.setUint32(at, base + to, true);
  return bytes;
}

/** The byte that makes all of them sum to zero, when its own place holds zero. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) sum += bytes[at]!;
  return -sum & 0xff;
}

/** ACPI 6.4, 5.2.6. Revision 1 throughout. */
function header(signature: string, length: number): number[] {
  return [
    ...ascii(signature),
    ...little(length, 4),
    1,
    0,
    ...ascii(OEM_ID),
    ...ascii('BXPC    '),
    ...little(1, 4),
    ...ascii('BXPC'),
    ...little(1, 4),
  ];
}

/** Firmware control structure: nothing but its length. ACPI 6.4, 5.2.10. */
function facs(): number[] {
  return [...ascii('FACS'), ...little(64, 4), ...new Array<number>(56).fill(0)];
}

/** Fixed hardware of the PIIX4, ACPI 1.0 form. ACPI 6.4, 5.2.9. */
function fadt(): number[] {
  return [
    ...little(0, 4), // firmware control
    ...little(0, 4), // DSDT
    1, // model: APIC
    0,
    ...little(9, 2), // SCI
    ...little(0xb2, 4), // SMI command port
    0xf1, // value that enables ACPI
    0xf0, // and that disables it
    0,
    0,
    ...little(0x600, 4), // PM1a events
    ...little(0, 4),
    ...little(0x604, 4), // PM1a control
    ...little(0, 4),
    ...little(0, 4),
    ...little(0x608, 4), // PM timer
    ...little(0xafe0, 4), // GPE0
    ...little(0, 4),
    4, // lengths of PM1 events, PM1 control, PM2, timer, GPE0, GPE1
    2,
    0,
    4,
    4,
    0,
    0,
    0,
    ...little(0xfff, 2), // C2 and C3 do not exist
    ...little(0xfff, 2),
    ...little(0, 4),
    0,
    0,
    0,
    0,
    0x32, // century in CMOS
    ...little(0, 3),
    ...little(FADT_FLAGS, 4),
  ];
}

/** Interrupt controllers: one LAPIC a CPU, the IOAPIC, IRQ 0 on pin 2, level PCI lines, NMI on LINT1. 5.2.12. */
function madt(cpus: number): number[] {
  const ids = Array.from({ length: cpus }, (_, id) => id);
  const override = (source: number, gsi: number, flags: number): number[] => [
    2,
    10,
    0,
    source,
    ...little(gsi, 4),
    ...little(flags, 2),
  ];
  return [
    ...little(0xfee00000, 4),
    ...little(1, 4), // a PC-AT with two 8259s
    ...ids.flatMap((id) => [0, 8, id, id, ...little(1, 4)]),
    1,
    12,
    0,
    0,
    ...little(0xfec00000, 4),
    ...little(0, 4),
    ...override(0, 2, 0),
    ...[5, 9, 10, 11].flatMap((irq) => override(irq, irq, LEVEL_ACTIVE_HIGH)),
    4,
    6,
    0xff,
    ...little(0, 2),
    1,
  ];
}

/** IA-PC HPET specification, 3.2.4: block 8086a201 at fed00000. */
function hpet(): number[] {
  return [...little(0x8086a201, 4), 0, 0, 0, 0, ...little(0xfed00000, 8), 0, ...little(0, 2), 0];
}

const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

const OEM_ID = 'BOCHS ';
const HEADER_LENGTH = 36;
const FADT_FIRMWARE_CTRL = 36;
const FADT_DSDT = 40;
/** WBINVD, C1, sleep button by method, S4 RTC wake, platform timer is good. */
const FADT_FLAGS = 0x80a5;
const LEVEL_ACTIVE_HIGH = 0x0d;
