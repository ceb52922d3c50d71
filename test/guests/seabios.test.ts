import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { guestFile, haveGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();

describe.skipIf(!haveGuests('bios-256k.bin'))('SeaBIOS', () => {
  test('runs to "No bootable device." and replays', () => {
    const trace = join(folder, 'seabios.trace');
    const debugPort = '-nodefaults -net none -chardev stdio,id=d -device isa-debugcon,iobase=0x402,chardev=d';
    const options = `-bios ${guestFile('bios-256k.bin')} -m 64 ${debugPort} --ticks 8000000 --trace ${trace}`;
    const { status, out } = retrovisor(['run', ...options.split(' ')]);
    expect(out).toContain('SeaBIOS (version 1.16.2');
    expect(out).toContain('No bootable device.');
    expect(status).toBe(0);
    expect(retrovisor(['replay', trace]).status).toBe(0);
  });
});
