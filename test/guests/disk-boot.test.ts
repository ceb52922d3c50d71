import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { EVENTS, firstRequest, logLines, MODES, virtioLines, writeDisk } from './boot/mbr.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const missing = noGuests('bios-256k.bin', 'kvmvapic.bin');

describe('SeaBIOS boots a disk of virtio as under QEMU 7.2', without(missing), () => {
  test.each(Object.entries(MODES))('%s', LONG, (mode, properties) => {
    const file = (name: string): string => join(folder, `${mode}.${name}`);
    writeDisk(file('raw'));
    const ran = retrovisor([
      ...['run', '-bios', guestFile('bios-256k.bin'), '-option-rom', guestFile('kvmvapic.bin'), '-nodefaults'],
      ...['-m', '64', '-serial', 'stdio', '--quiet', '--trace', file('trace'), '--wall-clock', '1700000000'],
      ...['-drive', `if=none,id=d,file=${file('raw')},format=raw`, '-device', `virtio-blk-pci,drive=d${properties}`],
      ...['-chardev', `file,id=c,path=${file('log')}`, '-device', 'isa-debugcon,iobase=0x402,chardev=c'],
      ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
    ]);
    const events = retrovisor(['events', file('trace'), '--event', EVENTS.join(',')]).out;
    const parts = [`status ${ran.status}`, ran.out, ...logLines(readFileSync(file('log'), 'utf8'))];
    const ours = [...parts, ...virtioLines(events)].join('\n').split('\n');
    const theirs = readFileSync(new URL(`recorded/mbr-${mode}.txt`, import.meta.url), 'utf8')
      .trimEnd()
      .split('\n');
    const first = theirs.findIndex((line, at) => line !== ours[at]);
    expect(ours.slice(Math.max(0, first - 3), first + 3)).toEqual(theirs.slice(Math.max(0, first - 3), first + 3));
    expect(ours).toHaveLength(theirs.length);
    if (mode === 'transitional') {
      const captured = readFileSync(new URL('recorded/seabios-virtio-blk.txt', import.meta.url), 'utf8');
      expect(firstRequest(captured)).toHaveLength(15);
      expect(firstRequest(events)).toEqual(firstRequest(captured));
    }
    expect(retrovisor(['replay', file('trace')]).status).toBe(0);
  });
});
