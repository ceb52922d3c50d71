import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { writeInitramfs } from '../../scripts/guests/initramfs.ts';

/** One thing the guest does to its disk: `command` for its shell, which does so many requests of so many bytes. */
export interface Load {
  readonly name: string;
  readonly command: string;
  readonly requests: number;
  readonly bytes: number;
}

const KIB = 1024;
const MIB = KIB * KIB;
const dd = (name: string, way: string, kib: number, requests: number): Load => ({
  name,
  command: `dd ${way} bs=${kib}k count=${requests}${directFlag(way)}`,
  requests,
  bytes: kib * KIB,
});

/** O_DIRECT on the disk's side, where there is one. */
function directFlag(way: string): string {
  if (way.includes('of=/dev/vda')) return ' oflag=direct';
  return way.includes('if=/dev/vda') ? ' iflag=direct' : '';
}

const fio = (name: string, requests: number, options: string): Load => ({
  name,
  command: `/mnt/run --name=a --filename=/dev/vda --direct=1 --bs=4k --size=64m --number_ios=${requests} ${options}`,
  requests,
  bytes: 4 * KIB,
});

const READ = 'if=/dev/vda of=/dev/null';
const WRITE = 'if=/dev/zero of=/dev/vda';

/** What checkpoints are measured by: 100 MB written, then something to run while they are taken. */
export const WRITE_100M: readonly Load[] = [dd('write 100m', WRITE, 1000, 100), dd('then', READ, 4, 1024)];
/** The same without a disk. */
export const NO_DISK: readonly Load[] = [dd('then', 'if=/dev/zero of=/dev/null', 4, 4096)];

export const LOADS: readonly Load[] = [
  dd('dd read 128k', READ, 128, 512),
  dd('dd write 128k', WRITE, 128, 512),
  dd('dd read 4k', READ, 4, 4096),
  dd('dd write 4k', WRITE, 4, 4096),
];

/** Programs with dozens of libraries: where they are on this machine, they come along on a disk of their own. */
export const FIO_LOADS: readonly Load[] = [
  fio('fio randread 4k', 2048, '--rw=randread --ioengine=psync'),
  fio('fio randrw 4k, 16 deep', 2048, '--rw=randrw --ioengine=libaio --iodepth=16'),
];

const measuredLoad = ({ name, command }: Load): string =>
  `echo "BENCH begin ${name}"\n${command} >/dev/null 2>/tmp/said || cat /tmp/said\necho "BENCH end ${name}"`;

const scriptOf = (loads: readonly Load[], withFio: boolean): string =>
  [...(withFio ? ['mount -t ext4 -o ro /dev/vdb /mnt'] : []), ...loads.map(measuredLoad), 'poweroff -f', ''].join('\n');

/** What a boot needs: paths. */
export interface BenchGuest {
  readonly kernel: string;
  readonly initrd: string;
  readonly disk: string;
  readonly fio: string | undefined;
}

/** The guest in a folder: Debian's kernel, busybox, modules of its package, an empty disk, and fio where it is. */
export function makeGuest(guests: string, folder: string): { guest: BenchGuest; loads: readonly Load[] } {
  const fioDisk = makeFioDisk(folder);
  const loads = fioDisk === undefined ? LOADS : [...LOADS, ...FIO_LOADS];
  const initrd = makeInitrd(guests, folder, loads, fioDisk !== undefined);
  const disk = emptyFile(join(folder, 'disk.raw'), 64 * MIB);
  return { guest: { kernel: join(guests, 'vmlinuz'), initrd, disk, fio: fioDisk }, loads };
}

/** An initramfs that puts a load on the disk. */
export const makeInitrd = (guests: string, folder: string, loads: readonly Load[], withFio = false): string =>
  writeInitramfs(guests, join(folder, 'initramfs.gz'), scriptOf(loads, withFio));

/** A file of zeroes that takes no room. */
export function emptyFile(path: string, bytes: number): string {
  const file = openSync(path, 'w');
  ftruncateSync(file, bytes);
  closeSync(file);
  return path;
}

/** An ext4 that holds fio, its libraries and a script that starts it, or undefined where fio or mke2fs are missing. */
function makeFioDisk(folder: string): string | undefined {
  const program = spawnSync('sh', ['-c', 'command -v fio'], { encoding: 'utf8' }).stdout.trim();
  if (program === '' || spawnSync('mke2fs', ['-V']).status !== 0) return undefined;
  const files = join(folder, 'fio');
  mkdirSync(files);
  copyFileSync(program, join(files, 'fio'));
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' });
  for (const [, path] of libraries.matchAll(/(\/\S+) \(0x/g)) copyFileSync(path!, join(files, basename(path!)));
  const loader = [...libraries.matchAll(/(\/\S*ld-linux\S*) \(0x/g)].map(([, path]) => basename(path!))[0]!;
  const script = `#!/bin/sh\nexec /mnt/${loader} --library-path /mnt /mnt/fio --thread --output=/tmp/fio "$@"\n`;
  writeFileSync(join(files, 'run'), script, { mode: 0o755 });
  const image = join(folder, 'fio.raw');
  emptyFile(image, 128 * MIB);
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', files, image], { stdio: 'ignore' });
  return image;
}
