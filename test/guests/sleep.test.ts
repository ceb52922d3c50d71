import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';
import { expectFolds } from './trace-alone.ts';

const folder = scratchFolder();
const KERNEL = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz'), '-nodefaults'];
const MACHINE = ['-m', '256', '-smp', '2', '-serial', 'stdio', '--wall-clock', '1700000000'];
const ALARM = 'echo +20 > /sys/class/rtc/rtc0/wakealarm';
const SCRIPT = `${ALARM}; date +at=%s; echo mem > /sys/power/state; date +at=%s; poweroff -f`;

describe('Debian sleeps until its alarm (S3)', without(noGuests('vmlinuz', 'initramfs.gz', 'bios-256k.bin')), () => {
  test.each([
    ['through SeaBIOS', ['-bios', guestFile('bios-256k.bin')]],
    ['without firmware', []],
  ] as const)('%s, and the run replays', LONG, (name, firmware) => {
    const trace = join(folder, `${name}.trace`);
    const typed = ['-append', 'console=ttyS0 panic=-1', '--type', `after:/ # :${SCRIPT}\\n`];
    const ran = retrovisor(['run', ...KERNEL, ...MACHINE, ...firmware, ...typed, '--trace', trace]);
    expect(ran.status).toBe(0);
    const lines = ['PM: suspend entry (deep)', 'Low-level resume complete', 'CPU1 is up', 'PM: suspend exit'];
    for (const line of lines) expect(ran.out).toContain(line);
    const [before, after] = [...ran.out.matchAll(/^at=(\d+)/gm)].map(([, seconds]) => Number(seconds));
    expect(Math.abs(after! - before! - 20)).toBeLessThanOrEqual(1);
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
    expectFolds(trace);
  });
});
