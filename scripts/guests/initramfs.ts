import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type CpioEntry, cpioArchive } from '../cpio.ts';

/** Drivers of virtio that Debian's cloud kernel has as modules, each behind those it needs. */
const DRIVERS = [
  ...['virtio/virtio_ring', 'virtio/virtio', 'virtio/virtio_pci_modern_dev', 'virtio/virtio_pci_legacy_dev'],
  ...['virtio/virtio_pci', 'block/virtio_blk', 'char/hw_random/virtio-rng'],
];

/** Before a script's own lines. */
const FIRST = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done
`;

/**
 * Write an initramfs with busybox in which the kernel's drivers of virtio are loaded and a script is run: two archives,
 * that of a folder of guests and one behind it, which the kernel unpacks one after the other. Returns its path.
 */
export function writeInitramfs(guests: string, path: string, script: string): string {
  const entries: CpioEntry[] = ['modules', 'mnt'].map((name) => ({ kind: 'folder', name }));
  for (const [at, { name, bytes }] of drivers(guests).entries()) {
    entries.push({ kind: 'file', name: `modules/${at}-${name}.ko`, bytes, executable: false });
  }
  entries.push({ kind: 'file', name: 'script', bytes: Buffer.from(FIRST + script), executable: true });
  writeFileSync(path, Buffer.concat([readFileSync(join(guests, 'initramfs.gz')), gzipSync(cpioArchive(entries))]));
  return path;
}

function drivers(guests: string): { readonly name: string; readonly bytes: Uint8Array }[] {
  const { versions } = JSON.parse(readFileSync(join(guests, 'guests.json'), 'utf8')) as { versions: object };
  const [kernel, version] = Object.entries(versions).find(([name]) => name.startsWith('linux-image-')) ?? [];
  const file = join(guests, `packages/${kernel}_${version?.replaceAll(':', '%3a')}_amd64.deb`);
  const tree = mkdtempSync(join(tmpdir(), 'retrovisor-modules-'));
  try {
    const archive = execFileSync('dpkg-deb', ['--fsys-tarfile', file], { maxBuffer: 1 << 30 });
    const folder = `./lib/modules/${kernel?.replace('linux-image-', '')}/kernel/drivers`;
    execFileSync('tar', ['-x', '-C', tree, ...DRIVERS.map((driver) => `${folder}/${driver}.ko`)], { input: archive });
    return DRIVERS.map((driver) => ({
      name: driver.replace(/.*\//, ''),
      bytes: readFileSync(join(tree, folder, `${driver}.ko`)),
    }));
  } finally {
    rmSync(tree, { recursive: true });
  }
}
