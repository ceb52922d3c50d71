import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tool, without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const BIOS = guestFile('bios-256k.bin');
const missing = noGuests('bios-256k.bin', 'kvmvapic.bin') ?? tool('qemu-system-x86_64');

/** Prints AX, which firmware calls it with (PCI Firmware 3.0, 5.2.1.2), in hexadecimal to COM1, and returns. */
const PROGRAM = [
  ...[0x89, 0xc3, 0xb9, 4, 0], // mov bx, ax; mov cx, 4
  ...[0xc1, 0xc3, 4, 0x88, 0xd8, 0x24, 0x0f, 0x04, 0x30], // 1: rol bx, 4; mov al, bl; and al, 15; add al, '0'
  ...[0x3c, 0x3a, 0x72, 2, 0x04, 0x27], // cmp al, '9' + 1; jb 2f; add al, 39
  ...[0xba, 0xf8, 3, 0xee, 0xe2, 0xeb, 0xcb], // 2: mov dx, 0x3f8; out dx, al; loop 1b; retf
];

/** An expansion ROM of a device (PCI 3.0, 6.3.1): header, program at 0x20, data structure at 0x60, sum 0. */
function romFor(name: string, vendor: number, device: number): string {
  const rom = Buffer.alloc(1024);
  rom.set([0x55, 0xaa, rom.length / 512, 0xeb, 0x1b]);
  rom[0x18] = 0x60;
  // Firmware calls it with the address of its device where it is one of Plug and Play.
  rom[0x1a] = 0x80;
  rom.write('$PnP', 0x80);
  rom.set(PROGRAM, 0x20);
  rom.write('PCIR', 0x60);
  rom.writeUInt16LE(vendor, 0x64);
  rom.writeUInt16LE(device, 0x66);
  rom[0x6a] = 0x18;
  rom[0x70] = rom.length / 512;
  rom[0x75] = 0x80;
  rom[rom.length - 1] = -rom.reduce((sum, byte) => sum + byte, 0);
  const path = join(folder, name);
  writeFileSync(path, rom);
  return path;
}

const DISK = join(import.meta.dirname, '../../guests/tour/disk.img');

describe('SeaBIOS runs the ROM of a PCI device as under QEMU', without(missing), () => {
  const edu = romFor('edu.rom', 0x1234, 0x11e8);
  const disk = romFor('disk.rom', 0x1af4, 0x1001);
  const drive = ['-drive', `if=none,id=d,file=${DISK},format=raw,snapshot=on`];

  test.each([
    ['of one', ['-device', `edu,addr=9,romfile=${edu}`], '0048'],
    ['of two', ['-device', `edu,romfile=${edu}`, '-device', `edu,romfile=${edu}`], '00100018'],
    ['not of a disk it drives itself', [...drive, '-device', `virtio-blk-pci,drive=d,romfile=${disk}`], ''],
    ['in a larger BAR', ['-device', `edu,romfile=${edu},romsize=65536`], '0010'],
    ['by fw_cfg, of one without a BAR', ['-device', `edu,romfile=${edu},rombar=0`], '0000'],
    ['not one of another device', ['-device', `edu,romfile=${disk}`], ''],
  ])('%s', (_name, devices, printed) => {
    const machine = ['-m', '16', '-nodefaults', '-bios', BIOS, '-serial', 'stdio', '-boot', 'order=n', ...devices];
    const debug = (log: string): string[] => [
      '-chardev',
      `file,id=c,path=${log}`,
      '-device',
      'isa-debugcon,iobase=0x402,chardev=c',
    ];
    const [mine, theirs] = [join(folder, 'mine'), join(folder, 'theirs')];
    const trace = join(folder, 'rom.trace');
    const ours = retrovisor([
      ...['run', ...machine, ...debug(mine), '--quiet', '--trace', trace],
      '--ticks',
      '5000000',
    ]);
    const qemu = spawnSync('timeout', ['4', 'qemu-system-x86_64', '-display', 'none', ...machine, ...debug(theirs)], {
      encoding: 'latin1',
    });
    // Whatever is started from disks later comes on lines of its own.
    const ofRoms = (out: string): string => out.split(/[\r\n]/)[0]!;
    expect([ofRoms(ours.out), ofRoms(qemu.stdout)]).toEqual([printed, printed]);
    expect(retrovisor(['replay', trace]).status).toBe(0);
    expect(retrovisor(['fold', trace]).status).toBe(0);
  });
});
