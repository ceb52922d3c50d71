import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LONG } from '../how-long.ts';
import { noteAside, tool, without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';
import { vmlinux } from './linux/vmlinux.ts';
import { expectFolds, expectReruns } from './trace-alone.ts';

const folder = scratchFolder();
const VMLINUX = join(folder, 'vmlinux');
const QEMU = 'qemu-system-x86_64';

const argv = [
  ...'-m 256 -nodefaults -no-reboot -serial stdio'.split(' '),
  ...['-kernel', VMLINUX, '-initrd', guestFile('initramfs.gz')],
  ...['-append', 'console=ttyS0 panic=-1 cryptomgr.notests=1 rdinit=/bin/busybox -- poweroff -f'],
];

/** Memory, initrd and firmware's tables as Linux finds them; KVM and TCG on AMD reserve other pages. */
const found = (text: string): string[] =>
  text
    .replaceAll('\r', '')
    .split('\n')
    .map((line) => line.replace(/^\[[ 0-9.]+\] /, ''))
    .filter((line) => /^BIOS-e820|^RAMDISK|^DMI:|^ACPI: (RSDP|RSDT|FACP|APIC|HPET)|^Command line/.test(line))
    .filter((line) => !/feffc000|fd00000000/.test(line));

describe("Debian's kernel as an ELF file", without(noGuests('vmlinuz', 'initramfs.gz'), tool('lz4')), () => {
  test('boots by its PVH entry, as on QEMU, and the run is held by its trace', LONG, async () => {
    writeFileSync(VMLINUX, vmlinux(readFileSync(guestFile('vmlinuz'))));
    const trace = join(folder, 'pvh.trace');
    const { out, status } = retrovisor(['run', ...argv, '--wall-clock', '1700000000', '--trace', trace]);
    expect(out).toContain('Hypervisor detected: KVM');
    expect(out).toContain('reboot: Power down');
    expect(status).toBe(0);
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
    expectFolds(trace);
    await expectReruns(trace);
    const lack = tool(QEMU);
    if (lack !== undefined) return noteAside(lack);
    // Where nobody reads a pipe for a while the kernel gives up waiting for its port, and what it printed is lost.
    const log = join(folder, 'qemu.serial');
    const started = argv.map((word) => (word === 'stdio' ? `file:${log}` : word));
    spawnSync(QEMU, ['-accel', 'tcg', '-display', 'none', '-vga', 'none', ...started], { timeout: 240_000 });
    const theirs = readFileSync(log, 'utf8');
    expect(found(theirs).length).toBeGreaterThan(12);
    expect(found(out)).toEqual(found(theirs));
  });
});
