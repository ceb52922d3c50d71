import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { tool, without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const IMAGE = fileURLToPath(new URL('../../guests/tour/tour.elf', import.meta.url));

const DISK = fileURLToPath(new URL('../../guests/tour/disk.img', import.meta.url));

/** Lines that name the processor, the form of its LAPIC, or KVM. */
const DEPENDS_ON_HOST = /^ +(1 {2}processor|10 {2}local APIC|1[345] {2}KVM) /;

const sameText = (text: string): string[] =>
  text
    .replaceAll('\r', '')
    .split('\n')
    .filter((line) => line !== '' && !DEPENDS_ON_HOST.test(line));

describe('our own guest', () => {
  test.each([1, 2, 4])('sees everything it expects on %d processors, powers off with status 0, and replays', (cpus) => {
    const trace = join(folder, `tour-${cpus}.trace`);
    const { status, out } = retrovisor(['run', '-smp', String(cpus), '--trace', trace]);
    expect(out).toContain('kvmclock runs; hypercalls: VAPIC_POLL_IRQ 0, an unknown one -1000');
    expect(out).toContain(`${cpus} online; LOCK XADD counted ${cpus * 1000}`);
    expect(out).not.toMatch(/wrong|lost|stands still|no #|\*\*\* exception/);
    expect(status).toBe(0);
    const replayed = retrovisor(['replay', trace]);
    expect(replayed.out + replayed.err).toContain('0 divergences');
    expect(replayed.status).toBe(0);
  });

  test('prints on QEMU what it prints on ours', without(tool('qemu-system-x86_64')), () => {
    const args = '-accel tcg -nodefaults -nic user -no-reboot -display none -serial stdio -smp 2'.split(' ');
    const debugExit = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=0x4'];
    const drive = ['-drive', `file=${DISK},format=raw,if=virtio,snapshot=on`];
    const qemu = spawnSync('qemu-system-x86_64', [...args, ...debugExit, ...drive, '-kernel', IMAGE], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(qemu.status).toBe(1);
    const { out } = retrovisor(['run', '-smp', '2', '-kernel', IMAGE, ...debugExit, ...drive, '--no-trace']);
    expect(sameText(out)).toEqual(sameText(qemu.stdout));
    expect(out).toContain('1024 KiB; visits: 0001, written, flushed, 4 interrupts');
  });

  test('powers off by ACPI where there is no isa-debug-exit', () => {
    const { status, out } = retrovisor(['run', '-nodefaults', '-serial', 'stdio', '-kernel', IMAGE, '--no-trace']);
    expect(out).toContain('Goodbye');
    expect(status).toBe(0);
  });

  test('folds from the trace alone, its image gone, to the digest of the replay', () => {
    const [image, trace] = [join(folder, 'copy.elf'), join(folder, 'copy.trace')];
    copyFileSync(IMAGE, image);
    retrovisor(['run', '-nodefaults', '-serial', 'stdio', '-kernel', image, '--trace', trace]);
    const replayed = retrovisor(['replay', trace]);
    rmSync(image);
    expect(retrovisor(['replay', trace]).err).toContain('1 of 1 images of');
    const folded = retrovisor(['fold', trace]);
    expect(folded.out).toContain('slices equal');
    expect(/digest (\w{16})/.exec(folded.out)?.[1]).toBe(/digest (\w{16})/.exec(replayed.out)?.[1]);
  });

  test('waits for a key when asked to', () => {
    const options = ['-nodefaults', '-serial', 'stdio', '-kernel', IMAGE, '-append', 'interactive', '--no-trace'];
    const { status, out } = retrovisor(['run', ...options, '--type', 'after:Press a key:x']);
    expect(out).toContain('You pressed 78h.');
    expect(status).toBe(0);
  });

  test(
    'starts from its disk by firmware, and counts the visits that are kept',
    without(noGuests('bios-256k.bin')),
    () => {
      const [image, trace] = [join(folder, 'disk.img'), join(folder, 'disk.trace')];
      copyFileSync(DISK, image);
      const machine = ['-bios', guestFile('bios-256k.bin'), '-m', '64', '-nodefaults', '-serial', 'stdio'];
      const run = ['run', ...machine, '-drive', `file=${image},format=raw,if=virtio`, '--trace', trace];
      for (const visits of ['0001', '0002']) {
        const { status, out } = retrovisor([...run, '--commit']);
        expect(out).toContain(`visits: ${visits}, written, flushed, 4 interrupts`);
        expect(status).toBe(0);
      }
      expect(retrovisor(run).out).toContain('visits: 0003');
      expect(
        readFileSync(image)
          .subarray(128 * 512)
          .toString('latin1', 0, 13),
      ).toBe('visits: 0002\n');
      expect(retrovisor(['replay', trace]).status).toBe(0);
    },
  );
});
