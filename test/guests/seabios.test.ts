import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
/** What SeaBIOS told port 402h under QEMU 7.2 with KVM, on a host with a TSC of 2600 MHz. */
const RECORDED = join(dirname(fileURLToPath(import.meta.url)), 'recorded/seabios.txt');

describe('SeaBIOS', without(noGuests('bios-256k.bin', 'kvmvapic.bin')), () => {
  test('tells what it tells under QEMU and KVM, up to "No bootable device.", and replays', () => {
    const trace = join(folder, 'seabios.trace');
    const log = join(folder, 'seabios.log');
    const firmware = `-bios ${guestFile('bios-256k.bin')} -option-rom ${guestFile('kvmvapic.bin')}`;
    const chardev = `-chardev file,id=d,path=${log}`;
    const debugPort = `-nodefaults -net none ${chardev} -device isa-debugcon,iobase=0x402,chardev=d`;
    const options = `${firmware} -m 64 ${debugPort} --ticks 5660000 --trace ${trace}`;
    expect(retrovisor(['run', ...options.split(' ')]).status).toBe(0);
    const told = readFileSync(log, 'utf8').replaceAll(/\b2000\b/g, '2600');
    expect(told).toBe(readFileSync(RECORDED, 'utf8'));
    expect(retrovisor(['replay', trace]).status).toBe(0);
  });
});
