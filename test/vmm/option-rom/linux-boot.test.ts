import { expect, test } from 'vitest';
import { assemble, label, op, ref } from '../../../src/vmm/option-rom/assemble.ts';
import { linuxBootRom } from '../../../src/vmm/option-rom/linux-boot.ts';

test('references are distances from the next instruction, or offsets', () => {
  const code = assemble([
    label('start'),
    op('nop', 0x90),
    ref('jmp start', [0xeb], 'start', 'short'),
    ref('call end', [0xe8], 'end', 'near'),
    ref('mov bx, end', [0xbb], 'end', 'offset'),
    label('end'),
  ]);
  expect([...code]).toEqual([0x90, 0xeb, 0xfd, 0xe8, 0x03, 0x00, 0xbb, 0x09, 0x00]);
});

test('the ROM is one a BIOS takes: signature, size, checksums, and a boot entry vector into its code', () => {
  const rom = linuxBootRom();
  const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
  expect([rom[0], rom[1], rom[2]! * 512]).toEqual([0x55, 0xaa, rom.length]);
  expect(sum(rom)).toBe(0);
  const header = rom[0x1a]! + rom[0x1b]! * 256;
  expect(new TextDecoder().decode(rom.subarray(header, header + 4))).toBe('$PnP');
  expect(sum(rom.subarray(header, header + rom[header + 5]! * 16))).toBe(0);
  const vector = rom[header + 0x1a]! + rom[header + 0x1b]! * 256;
  expect(rom[vector]).toBe(0xfa);
});
