import { type AcpiBlob, RSDP, rsdp, TABLE_CHECKSUM } from './tables.ts';

/** The fw_cfg files by which firmware places ACPI tables itself. QEMU include/hw/acpi/bios-linker-loader.h. */
export function acpiFiles(blob: AcpiBlob): Record<string, Uint8Array> {
  const tables = new Uint8Array(Math.ceil(blob.bytes.length / TABLES_ALIGNMENT) * TABLES_ALIGNMENT);
  tables.set(blob.bytes);
  return { [TABLES]: tables, [ROOT]: rsdp(blob.rsdt), 'etc/table-loader': loaderScript(blob) };
}

/** Allocate, then for each table its pointers and its checksum, in the order the tables were built. */
function loaderScript(blob: AcpiBlob): Uint8Array {
  const commands = [allocate(ROOT, 16, ZONE_FSEG), allocate(TABLES, 64, ZONE_HIGH)];
  for (const { offset, length } of blob.tables) {
    for (const { at } of blob.pointers) {
      if (at >= offset && at < offset + length) commands.push(addPointer(TABLES, at));
    }
    commands.push(addChecksum(TABLES, { offset: offset + TABLE_CHECKSUM, start: offset, length }));
  }
  commands.push(addPointer(ROOT, RSDP.rsdtAddress));
  commands.push(addChecksum(ROOT, { offset: RSDP.checksum, start: 0, length: RSDP.length }));
  const script = new Uint8Array(Math.ceil((commands.length * COMMAND_SIZE) / SCRIPT_ALIGNMENT) * SCRIPT_ALIGNMENT);
  commands.forEach((command, index) => {
    script.set(command, index * COMMAND_SIZE);
  });
  return script;
}

function allocate(file: string, alignment: number, zone: number): Uint8Array {
  return command(COMMAND.allocate, file, (view) => {
    view.setUint32(60, alignment, true);
    view.setUint8(64, zone);
  });
}

/** The field at `at` holds an offset into the tables: make it an address. */
function addPointer(file: string, at: number): Uint8Array {
  return command(COMMAND.addPointer, file, (view, bytes) => {
    bytes.set(new TextEncoder().encode(TABLES), 60);
    view.setUint32(116, at, true);
    view.setUint8(120, 4);
  });
}

function addChecksum(file: string, sum: { offset: number; start: number; length: number }): Uint8Array {
  return command(COMMAND.addChecksum, file, (view) => {
    view.setUint32(60, sum.offset, true);
    view.setUint32(64, sum.start, true);
    view.setUint32(68, sum.length, true);
  });
}

function command(code: number, file: string, fill: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(COMMAND_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, code, true);
  bytes.set(new TextEncoder().encode(file), 4);
  fill(view, bytes);
  return bytes;
}

const COMMAND = { allocate: 1, addPointer: 2, addChecksum: 3 } as const;
const COMMAND_SIZE = 128;
const ZONE_HIGH = 1;
const ZONE_FSEG = 2;
const TABLES = 'etc/acpi/tables';
const ROOT = 'etc/acpi/rsdp';
/** QEMU pads the files so that their size does not change with the machine. */
const TABLES_ALIGNMENT = 0x20000;
const SCRIPT_ALIGNMENT = 0x1000;
