import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { LONG } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { MODES } from '../boot/mbr.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from '../command-line.ts';
import { expectConserves } from '../conserved.ts';
import { initramfs, linuxWith, noLinux } from './initramfs.ts';
import { ACCESS, accessLines, consoleLines, expectSame, type Seen } from './probe.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

const machine = (properties: string): string[] => [
  ...linuxWith(file('initramfs.gz'), 'nokaslr nox2apic'),
  ...['-netdev', 'user,id=n0', '-device', `virtio-net-pci,netdev=n0,addr=4,mac=52:54:00:12:34:56${properties}`],
];

function onQemu(properties: string): Seen {
  const { status, stdout, stderr } = spawnSync(
    'qemu-system-x86_64',
    [
      ...['-M', 'pc', '-accel', 'tcg', '-cpu', 'qemu64', ...machine(`${properties},romfile=`)],
      ...['-D', file('qemu.log'), ...ACCESS.flatMap((kind) => ['-trace', kind])],
    ],
    { encoding: 'utf8', input: '', timeout: 10 * 60_000 },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return { console: stdout, events: readFileSync(file('qemu.log'), 'utf8') };
}

function onOurs(properties: string): Seen {
  const trace = file('ours.trace');
  const firmware = ['-bios', guestFile('bios-256k.bin'), '-option-rom', guestFile('kvmvapic.bin')];
  const { out } = retrovisor([
    ...['run', ...machine(properties), ...firmware, '--trace', trace, '--wall-clock', '1700000000'],
  ]);
  return { console: out, events: retrovisor(['events', trace, '--event', ACCESS.join(',')]).out };
}

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
      qemu = onQemu(properties);
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
