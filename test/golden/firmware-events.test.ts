import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { guestFile, noGuests, retrovisor, scratchFolder } from '../guests/command-line.ts';
import { without } from '../stepping-aside.ts';
import { printedFirmwareEvents } from './firmware-events.ts';

const folder = scratchFolder();
const RECORDED = join(dirname(fileURLToPath(import.meta.url)), 'recorded/seabios.events.br');
/** Width of addresses and time of the recording's machine; after the last second read there it was a second later. */
const SAME_MACHINE = '-m 64 -nodefaults -cpu host,phys-bits=48 --wall-clock 2026-11-23T10:35:04Z';

test(
  "SeaBIOS' port accesses, MSR writes and interrupt lines are those recorded on KVM, in order and with their values",
  without(noGuests('bios-256k.bin', 'kvmvapic.bin')),
  () => {
    const trace = join(folder, 'seabios.trace');
    const firmware = `-bios ${guestFile('bios-256k.bin')} -option-rom ${guestFile('kvmvapic.bin')}`;
    const debug = '-chardev null,id=d -device isa-debugcon,iobase=0x402,chardev=d';
    const options = `${SAME_MACHINE} ${firmware} ${debug} --ticks 2000000 --trace ${trace}`;
    expect(retrovisor(['run', ...options.split(' ')]).status).toBe(0);
    const recorded = brotliDecompressSync(readFileSync(RECORDED)).toString().split('\n');
    const ours = printedFirmwareEvents(retrovisor(['events', '--trace-cmd', trace]).out);
    expect(recorded.length).toBe(1795);
    expect(ours.slice(0, -1)).toEqual(recorded.slice(0, -1));
  },
);
