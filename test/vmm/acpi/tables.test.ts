import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dsdtBody } from '../../../src/vmm/acpi/dsdt.ts';
import { acpiFiles } from '../../../src/vmm/acpi/table-loader.ts';
import { acpiBlob, checksum, placeAcpi } from '../../../src/vmm/acpi/tables.ts';
import { tool, without } from '../../stepping-aside.ts';

const OPTIONS = { cpus: 4, serialLines: 2, ramBelow4g: 256 * 2 ** 20, ramAbove4g: 0 };
const BASE = 0xffe0000;

test('every table and the root pointer sum to zero where they lie', () => {
  const blob = acpiBlob(OPTIONS);
  const { tables, rsdp } = placeAcpi(blob, BASE);
  for (const { offset, length } of blob.tables) expect(checksum(tables.subarray(offset, offset + length))).toBe(0);
  expect(checksum(rsdp)).toBe(0);
});

test('the root pointer leads to the RSDT, and that to tables of the right names', () => {
  const { tables, rsdp } = placeAcpi(acpiBlob(OPTIONS), BASE);
  const view = new DataView(tables.buffer);
  const name = (at: number) => String.fromCharCode(...tables.subarray(at - BASE, at - BASE + 4));
  const rsdt = new DataView(rsdp.buffer).getUint32(16, true);
  expect(name(rsdt)).toBe('RSDT');
  const listed = [0, 1, 2, 3].map((index) => view.getUint32(rsdt - BASE + 36 + 4 * index, true));
  expect(listed.map(name)).toEqual(['FACP', 'APIC', 'HPET', 'WAET']);
  expect(name(view.getUint32(listed[0]! - BASE + 36, true))).toBe('FACS');
  expect(name(view.getUint32(listed[0]! - BASE + 40, true))).toBe('DSDT');
});

test('firmware that follows the loader script gets what placing the tables directly gives', () => {
  const blob = acpiBlob(OPTIONS);
  const files = acpiFiles(blob);
  const at: Record<string, number> = { 'etc/acpi/tables': BASE, 'etc/acpi/rsdp': 0xf59d0 };
  const followed = followScript(files, at);
  const placed = placeAcpi(blob, BASE);
  expect(followed['etc/acpi/tables']!.subarray(0, placed.tables.length)).toEqual(placed.tables);
  expect(followed['etc/acpi/rsdp']).toEqual(placed.rsdp);
});

test('iasl reads the DSDT without a complaint', without(tool('iasl')), () => {
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-acpi-'));
  try {
    const { tables } = placeAcpi(acpiBlob(OPTIONS), BASE);
    const length = new DataView(tables.buffer).getUint32(64 + 4, true);
    writeFileSync(join(folder, 'dsdt.aml'), tables.subarray(64, 64 + length));
    execFileSync('iasl', ['-d', join(folder, 'dsdt.aml')], { stdio: 'pipe' });
    const source = readFileSync(join(folder, 'dsdt.dsl'), 'utf8');
    for (const name of ['C003', 'COM2', 'LNKS', '_S5', 'PNP0103']) expect(source).toContain(name);
    const compiled = spawnSync('iasl', ['-p', join(folder, 'again'), join(folder, 'dsdt.dsl')], { encoding: 'utf8' });
    expect(compiled.stdout).toMatch(/ 0 Errors/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the DSDT grows by what a processor and a serial port add, and by nothing else', () => {
  const size = (cpus: number, serialLines: number) => dsdtBody({ ...OPTIONS, cpus, serialLines }).length;
  // Sizes of QEMU 7.2's own DSDT without its 36-byte header: -smp 1 with no and one line, -smp 2 with one.
  expect(size(1, 0)).toBe(6297);
  expect(size(1, 1)).toBe(6349);
  expect(size(2, 1)).toBe(6432);
});

/** What SeaBIOS' romfile_loader_execute does. */
function followScript(files: Record<string, Uint8Array>, at: Record<string, number>): Record<string, Uint8Array> {
  const script = files['etc/table-loader']!;
  const memory = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, bytes.slice()]));
  const text = (bytes: Uint8Array) => String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
  for (let offset = 0; offset < script.length; offset += 128) {
    const command = script.slice(offset, offset + 128);
    const view = new DataView(command.buffer);
    const code = view.getUint32(0, true);
    const file = memory[text(command.subarray(4, 60))];
    if (code === 2) {
      const target = new DataView(file!.buffer);
      const place = view.getUint32(116, true);
      target.setUint32(place, target.getUint32(place, true) + at[text(command.subarray(60, 116))]!, true);
    } else if (code === 3) {
      const [place, start, length] = [60, 64, 68].map((field) => view.getUint32(field, true));
      file![place!] = 0;
      file![place!] = checksum(file!.subarray(start, start! + length!));
    }
  }
  return memory;
}
