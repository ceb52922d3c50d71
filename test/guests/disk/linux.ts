/** Debian's kernel with a disk of virtio and a script instead of an init. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Aside } from '../../stepping-aside.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';

/** Why no such kernel can be run here. */
export const NO_LINUX: Aside | undefined = noLinux();

/** Why an ext4 cannot be made and looked at. */
export const NO_E2FSPROGS: Aside | undefined =
  spawnSync('mke2fs', ['-V']).status === 0 && spawnSync('e2fsck', ['-V']).status === 0
    ? undefined
    : { what: 'e2fsprogs', why: 'There is no mke2fs and no e2fsck here.', kind: 'tool' };

/** Write an initramfs that does what a script says, and powers off. Returns its path. */
export const diskInitramfs = (folder: string, script: readonly string[]): string =>
  initramfs(join(folder, 'disk-initramfs.gz'), [...script, 'poweroff -f', ''].join('\n'));

/** Options of a machine that runs it with a disk. */
export const linuxOptions = (path: string, image: string, drive = ''): string[] => [
  ...linuxWith(path),
  ...['--wall-clock', '1700000000'],
  ...['-drive', ['format=raw,if=virtio,id=d', `file=${image}`, drive].filter(Boolean).join(',')],
];

/** An image with an empty ext4. */
export function makeExt4(path: string, megabytes: number): string {
  execFileSync('truncate', ['-s', `${megabytes}M`, path]);
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-U', '0f0e0d0c-0b0a-4908-8706-050403020100', path]);
  return path;
}
