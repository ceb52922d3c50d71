import { expect, test } from 'vitest';
import { ramLayout } from '../../../src/vmm/pc/ram-layout.ts';
import { placeSmbios, smbios } from '../../../src/vmm/smbios/tables.ts';

const MIB = 2 ** 20;
const built = smbios({ cpus: 2, ram: ramLayout(64 * MIB), processorId: [0x60fb1, 0x078bfbfd] });

test('the tables have the size and longest structure of those QEMU 7.2 offers', () => {
  expect(built.tables).toHaveLength(321);
  const view = new DataView(built.anchor.buffer);
  expect([view.getUint16(8, true), view.getUint16(0x16, true), view.getUint16(0x1c, true)]).toEqual([0x51, 321, 8]);
});

test('a placed entry point and its second half sum to zero', () => {
  const { anchor } = placeSmbios(built, 0x7ff0000);
  const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
  expect([sum(anchor), sum(anchor.subarray(16))]).toEqual([0, 0]);
});

test('structures follow one another to the end marker', () => {
  expect(typesOf(built.tables)).toEqual([1, 3, 4, 16, 17, 19, 32, 127]);
});

test('firmware puts its own structure first, as SeaBIOS does: 388 bytes and 9 structures at 256 MiB', () => {
  const { anchor, tables } = smbios({ cpus: 1, ram: ramLayout(256 * MIB), processorId: [0x60fb1, 0], bios: true });
  expect(typesOf(tables)).toEqual([0, 1, 3, 4, 16, 17, 19, 32, 127]);
  expect(new TextDecoder().decode(tables)).toContain('SeaBIOS\x001.16.2-debian-1.16.2-1\x0004/01/2014\0\0');
  const view = new DataView(anchor.buffer);
  expect([view.getUint16(8, true), view.getUint16(0x16, true), view.getUint16(0x1c, true)]).toEqual([0x51, 388, 9]);
});

function typesOf(tables: Uint8Array): number[] {
  const types: number[] = [];
  for (let at = 0; at < tables.length; ) {
    types.push(tables[at]!);
    at += tables[at + 1]!;
    while (tables[at] !== 0 || tables[at + 1] !== 0) at++;
    at += 2;
  }
  return types;
}
