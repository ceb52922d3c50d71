/** Debian's kernel with its modules for disks of virtio, and a script instead of an init. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type CpioEntry, cpioArchive } from '../../../scripts/cpio.ts';
import type { Aside } from '../../stepping-aside.ts';
import { guestFile, haveGuests, noGuests } from '../command-line.ts';

/** In the order in which they are loaded. */
const MODULES = ['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci', 'virtio_blk'];

/** Why no such kernel can be run here. */
export const NO_LINUX: Aside | undefined =
  noGuests('vmlinuz', 'initramfs.gz') ??
  (haveGuests('packages')
    ? undefined
    : { what: 'modules of Debian', why: 'They are not here: `npm run guests -- disk` fetches them.', kind: 'tool' });

/** Why an ext4 cannot be made and looked at. */
export const NO_E2FSPROGS: Aside | undefined =
  spawnSync('mke2fs', ['-V']).status === 0 && spawnSync('e2fsck', ['-V']).status === 0
    ? undefined
    : { what: 'e2fsprogs', why: 'There is no mke2fs and no e2fsck here.', kind: 'tool' };

/** Write an initramfs whose first program loads the modules and then does what a script says. Returns its path. */
export function diskInitramfs(folder: string, script: readonly string[]): string {
  const loads = MODULES.map((name) => `insmod /modules/${name}.ko`);
  const mounts = ['proc', 'sysfs', 'devtmpfs'].map(
    (kind, at) => `mount -t ${kind} ${kind} /${['proc', 'sys', 'dev'][at]}`,
  );
  const first = ['#!/bin/sh', ...mounts, ...loads, 'mkdir -p /mnt', ...script, 'poweroff -f', ''].join('\n');
  const entries: CpioEntry[] = [
    { kind: 'folder', name: 'modules' },
    ...MODULES.map((name): CpioEntry => {
      return { kind: 'file', name: `modules/${name}.ko`, bytes: moduleOf(folder, name), executable: false };
    }),
    { kind: 'file', name: 'first', bytes: Buffer.from(first), executable: true },
  ];
  const path = join(folder, 'disk-initramfs.gz');
  writeFileSync(path, Buffer.concat([readFileSync(guestFile('initramfs.gz')), gzipSync(cpioArchive(entries))]));
  return path;
}

/** Options of a machine that runs it with a disk. */
export const linuxOptions = (initramfs: string, image: string, drive = ''): string[] => [
  ...['-kernel', guestFile('vmlinuz'), '-initrd', initramfs, '-append', 'console=ttyS0 quiet rdinit=/first'],
  ...['-m', '128', '-nodefaults', '-serial', 'stdio', '--wall-clock', '1700000000'],
  ...['-drive', ['format=raw,if=virtio,id=d', `file=${image}`, drive].filter(Boolean).join(',')],
];

let unpacked: string | undefined;

/** A module's bytes, out of the kernel's package. */
function moduleOf(folder: string, name: string): Uint8Array {
  if (unpacked === undefined) {
    const packages = guestFile('packages');
    const kernel = readdirSync(packages).find((file) => file.startsWith('linux-image-'));
    if (kernel === undefined) throw new Error('There is no package of a kernel.');
    unpacked = join(folder, 'kernel');
    execFileSync('dpkg-deb', ['-x', join(packages, kernel), unpacked]);
  }
  const found = readdirSync(unpacked, { recursive: true, encoding: 'utf8' }).find((file) =>
    file.endsWith(`/${name}.ko`),
  );
  if (found === undefined) throw new Error(`There is no module ${name}.`);
  return readFileSync(join(unpacked, found));
}

/** An image with an empty ext4. */
export function makeExt4(path: string, megabytes: number): string {
  execFileSync('truncate', ['-s', `${megabytes}M`, path]);
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-U', '0f0e0d0c-0b0a-4908-8706-050403020100', path]);
  return path;
}
