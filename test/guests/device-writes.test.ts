import { join } from 'node:path';
import { expect, test } from 'vitest';
import { debugRun } from '../../src/api/index.ts';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();

test('what firmware loads by DMA was written by the device', without(noGuests('vmlinuz', 'bios-256k.bin')), () => {
  const trace = join(folder, 'firmware.trace');
  const images = ['-bios', guestFile('bios-256k.bin'), '-kernel', guestFile('vmlinuz')];
  const { status, err } = retrovisor(['run', ...images, '-m', '128', '--ticks', '8000000', '--trace', trace]);
  expect(status, err).toBe(0);
  const firmware = debugRun(trace);
  firmware.ask('at end');
  const answer = firmware.ask('why phys:0x100000/8');
  expect(answer).toMatch(/from outside the guest, with .* sim:dma: dev fw_cfg write gpa 0x100000 len \d+/);
});
