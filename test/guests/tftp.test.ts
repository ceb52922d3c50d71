import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LONG } from '../how-long.ts';
import { tool, without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const missing = noGuests('bios-256k.bin', 'efi-e1000.rom', 'efi-virtio.rom') ?? tool('tshark');

/** 100 blocks of the largest size, and a rest. */
const KERNEL = Uint8Array.from({ length: 142_900 }, (_, at) => (at * 31 + (at >> 9)) & 0xff);

describe('iPXE boots from the files user networking serves', without(missing), () => {
  test.each([
    ['e1000', 'efi-e1000.rom'],
    ['virtio-net-pci', 'efi-virtio.rom'],
  ])('over %s', LONG, (card, rom) => {
    const [files, trace, capture, objects] = ['files', 'trace', 'pcapng', 'objects'].map((name) =>
      join(folder, `${card}.${name}`),
    ) as [string, string, string, string];
    mkdirSync(join(files, 'boot'), { recursive: true });
    writeFileSync(join(files, 'boot/kernel'), KERNEL);
    writeFileSync(join(files, 'script.ipxe'), '#!ipxe\nimgfetch boot/kernel\nreboot\n');
    const ran = retrovisor([
      ...['run', '-bios', guestFile('bios-256k.bin'), '-nodefaults', '-m', '64', '-serial', 'none', '-no-reboot'],
      ...['-netdev', `user,id=n0,tftp=${files},bootfile=script.ipxe`, '-boot', 'order=n'],
      ...['-device', `${card},netdev=n0,romfile=${guestFile(rom)}`, '--quiet', '--trace', trace],
    ]);
    expect(ran).toMatchObject({ status: 0 });
    expect(retrovisor(['export', '--pcapng', '-o', capture, trace]).status).toBe(0);
    execFileSync('tshark', ['-r', capture, '-q', '--export-objects', `tftp,${objects}`], { stdio: 'pipe' });
    expect(new Uint8Array(readFileSync(join(objects, 'kernel')))).toEqual(KERNEL);
    const blocks = retrovisor(['events', trace, '--event', 'sim:tftp_sent']).out.trimEnd().split('\n');
    expect(blocks.at(-1)).toMatch(/block 101 to 10\.0\.2\.15 port \d+ 100 bytes$/);
    expect(retrovisor(['fold', trace]).status).toBe(0);
  });
});
