import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type CpioEntry, cpioArchive } from '../../../scripts/cpio.ts';
import { type Aside, tool } from '../../stepping-aside.ts';
import { guestFile, noGuests } from '../command-line.ts';

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

/** What is missing for a Linux with drivers. */
export const noLinux = (): Aside | undefined => noGuests('vmlinuz', 'initramfs.gz', 'guests.json') ?? tool('dpkg-deb');

/** What of the kernel's tests of its own and of its reports is not waited for. */
const QUIETLY = 'console=ttyS0 panic=-1 quiet cryptomgr.notests=1';

/** Arguments that start Debian's kernel with an initramfs of `initramfs`; QEMU takes them, too. */
export const linuxWith = (initramfs: string, more = ''): string[] => [
  ...['-kernel', guestFile('vmlinuz'), '-initrd', initramfs, '-append', `${QUIETLY} rdinit=/script ${more}`.trim()],
  ...['-m', '256', '-nodefaults', '-serial', 'stdio', '-display', 'none'],
];

/**
 * Write an initramfs with busybox in which the kernel's drivers of virtio are loaded and a script is run: two archives,
 * the guests' own and one behind it, which the kernel unpacks one after the other. Returns its path.
 */
export function initramfs(path: string, script: string): string {
  const entries: CpioEntry[] = ['modules', 'mnt'].map((name) => ({ kind: 'folder', name }));
  for (const [at, { name, bytes }] of modules().entries()) {
    entries.push({ kind: 'file', name: `modules/${at}-${name}.ko`, bytes, executable: false });
  }
  entries.push({ kind: 'file', name: 'script', bytes: Buffer.from(FIRST + script), executable: true });
  writeFileSync(path, Buffer.concat([readFileSync(guestFile('initramfs.gz')), gzipSync(cpioArchive(entries))]));
  return path;
}

function modules(): { readonly name: string; readonly bytes: Uint8Array }[] {
  const { versions } = JSON.parse(readFileSync(guestFile('guests.json'), 'utf8')) as { versions: object };
  const [kernel, version] = Object.entries(versions).find(([name]) => name.startsWith('linux-image-')) ?? [];
  const file = guestFile(`packages/${kernel}_${version?.replaceAll(':', '%3a')}_amd64.deb`);
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
