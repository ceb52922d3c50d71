import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { LONG } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { MODES } from '../boot/mbr.ts';
import { noGuests, scratchFolder } from '../command-line.ts';
import { expectConserves } from '../conserved.ts';
import { initramfs, linuxWith, noLinux } from './initramfs.ts';
import { ACCESS, accessLines, consoleLines, expectSame, type Seen } from './probe.ts';
import { probedBeside, probedOnOurs, probedOnQemu } from './probed.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

const machine = (properties: string): string[] => [
  ...linuxWith(file('initramfs.gz'), 'nokaslr nox2apic'),
  ...['-netdev', 'user,id=n0', '-device', `virtio-net-pci,netdev=n0,addr=4,mac=52:54:00:12:34:56${properties}`],
];

const onQemu = (properties: string): Seen =>
  probedOnQemu({ machine: machine(`${properties},romfile=`), events: ACCESS, folder });

const onOurs = (properties: string): Seen => probedOnOurs({ machine: machine(properties), events: ACCESS, folder });

const missing = without(noLinux(), noGuests('bios-256k.bin', 'kvmvapic.bin'), tool('qemu-system-x86_64'));

describe("what Debian's kernel does to a network card of virtio, and finds, as on QEMU 7.2", {
  ...missing,
  ...LONG,
}, () => {
  beforeAll(() => {
    initramfs(file('initramfs.gz'), readFileSync(new URL('net-probe.sh', import.meta.url), 'utf8'));
  });

  describe.each(Object.entries(MODES))('%s', (_mode, properties) => {
    let ours: Seen;
    let qemu: Seen;

    beforeAll(() => {
      ours = onOurs(properties);
      qemu = probedBeside(ours, () => onQemu(properties));
    });

    test('the guest sees the same, and is answered the same way', () => {
      expectSame(consoleLines(ours.console), consoleLines(qemu.console), 60);
    });

    test('it reads and writes the same registers, which hold the same', () => {
      expectSame(accessLines(ours.events), accessLines(qemu.events), 500);
    });

    test('run again, each frame is in memory as it went over the wire, and no chain is lost', async () => {
      const { framesSent, framesReceived, popped } = await expectConserves(file('ours.trace'));
      process.stdout.write(`${framesSent} frames sent and ${framesReceived} received, conserved\n`);
      expect(framesSent).toBeGreaterThan(5);
      expect(framesReceived).toBeGreaterThan(5);
      expect(popped).toBeGreaterThan(framesSent + framesReceived);
    });
  });
});
