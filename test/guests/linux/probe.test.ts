import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { IS_WHOLE } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { MODES } from '../boot/mbr.ts';
import { noGuests, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from './initramfs.ts';
import {
  accessLines,
  consoleLines,
  EVENTS,
  expectSame,
  type Lines,
  type Seen,
  workLines,
  writeProbedDisk,
} from './probe.ts';
import { probedBeside, probedOnOurs, probedOnQemu } from './probed.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

/** A machine with a disk and a source of entropy. Both are told the same, but where a drive's serial number is said. */
const machine = (properties: string, [drive, device]: readonly [drive: string, device: string]): string[] => [
  ...linuxWith(file('initramfs.gz'), 'nokaslr nox2apic'),
  ...['-drive', `if=none,id=d,file=${file('disk.raw')},format=raw,snapshot=on${drive}`],
  ...['-device', `virtio-blk-pci,drive=d,addr=3${device}${properties}`],
  ...['-object', 'rng-builtin,id=r', '-device', `virtio-rng-pci,rng=r,addr=5${properties}`],
];

const onQemu = (properties: string): Seen =>
  probedOnQemu({ machine: machine(properties, ['', ',serial=RV0001']), events: EVENTS, folder });

const onOurs = (properties: string): Seen =>
  probedOnOurs({ machine: machine(properties, [',serial=RV0001', '']), events: EVENTS, folder });

/**
 * Of a run's lines those of its disk, as a capture of another QEMU 7.2.22 has them, with an older kernel and other
 * devices besides (recorded/linux-virtio-blk.txt). How often interrupts came depends on what else was asked of it; its
 * guest did less behind it.
 */
const ofDisk = ({ console, events }: Seen, most: number): Lines => {
  const { lines } = consoleLines(console);
  const block = lines.indexOf('=== block vda');
  const seen = [
    ...lines.filter((line) => line.startsWith('virtio0 device')),
    ...lines.slice(block, lines.indexOf('=== more of vda')).filter((line) => !line.startsWith('scheduler')),
    ...lines.filter((line) => line.includes('virtio0-')).map((line) => line.replace(/^( *\w+:) +\d+ +/, '$1 ')),
  ];
  const accesses = accessLines(events).lines.filter((line) =>
    /^pci_cfg_\w+ 00:03\.0 |^memory_region\w+ addr 0xfebf([4-7]|e)/.test(line),
  );
  return { lines: [...seen, ...accesses].slice(0, most), excluded: 0 };
};

const recorded = (name: string): Lines => ({
  lines: readFileSync(new URL(`../recorded/${name}`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n'),
  excluded: 0,
});

const missing = without(noLinux(), noGuests('bios-256k.bin', 'kvmvapic.bin'));
const noQemu = without(tool('qemu-system-x86_64'));
const modes = Object.entries(MODES).slice(0, IS_WHOLE ? undefined : 1);

describe("what Debian's kernel does to devices of virtio, and finds, as on QEMU 7.2", missing, () => {
  beforeAll(() => {
    initramfs(file('initramfs.gz'), readFileSync(new URL('probe.sh', import.meta.url), 'utf8'));
    writeProbedDisk(file('disk.raw'));
  });

  describe.each(modes)('%s', (mode, properties) => {
    let ours: Seen;
    let qemu: Seen;

    beforeAll(() => {
      ours = onOurs(properties);
      if (noQemu.skip !== true) qemu = probedBeside(ours, () => onQemu(properties));
    });

    describe('beside a QEMU that is here', noQemu, () => {
      test('the guest sees the same', () => {
        expectSame(consoleLines(ours.console), consoleLines(qemu.console), 250);
      });

      test('it reads and writes the same registers, which hold the same', () => {
        expectSame(accessLines(ours.events), accessLines(qemu.events), 1400);
      });

      test('its requests are the same, and are answered the same way', () => {
        expectSame(workLines(ours.events), workLines(qemu.events), 280);
      });

      test('less than one line in a hundred is excluded', () => {
        const all = [consoleLines(qemu.console), accessLines(qemu.events), workLines(qemu.events)];
        const excluded = all.reduce((sum, each) => sum + each.excluded, 0);
        const lines = all.reduce((sum, each) => sum + each.lines.length, 0);
        console.log(`${mode}: ${lines} lines compared, ${excluded} excluded`);
        expect(excluded / (lines + excluded)).toBeLessThan(0.01);
      });
    });

    // The capture is of that mode, and a test for the others would be none that steps aside.
    if (mode !== 'transitional') return;
    test('and as it was captured', () => {
      const captured = recorded('linux-virtio-blk.txt');
      expectSame(ofDisk(ours, captured.lines.length), captured, 500);
    });
  });
});
