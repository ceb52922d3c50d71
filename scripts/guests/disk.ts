import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { download, FOLDER, identity, versionOf } from './apt.ts';
import { bootTrack, FIRST_PARTITION } from './boot-record.ts';
import { makeExt4, Programs } from './ext4.ts';
import { type Installed, installDebian, ROOT_UUID, TIME } from './installed.ts';

const MIB = 1 << 20;

/** An installed Debian, and a disk with a package to put into it. */
const DEBIAN = 'debian.raw';
const PACKAGES = 'packages.raw';

const DEBIAN_SIZE = 1024 * MIB;
const PACKAGES_SIZE = 8 * MIB;
const PACKAGES_UUID = 'b00c1200-52e7-4051-a5e0-000000000002';
const SIGNATURE = 0xb00c1200;

/** Packages for a repository that the guest reaches by its network: one, and those it depends on. */
const TO_SERVE = ['jq', 'libjq1', 'libonig5'];

/** Packages by which two of them serve each other, unpacked where they are needed. */
const TO_UNPACK = [
  ...['openssh-server', 'libwrap0', 'libnsl2', 'libtirpc3', 'iperf3', 'libiperf0', 'libsctp1', 'busybox'],
];

/** What the boot loader needs until it has read its menu from the root file system. */
const MODULES = ['biosdisk', 'part_msdos', 'ext2', 'serial', 'terminal', 'normal', 'linux', 'echo'];

function emptyImage(path: string, size: number): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, size);
  closeSync(file);
}

function writeLoader(image: string, programs: Programs, folder: string): void {
  const modules = programs.path('usr/lib/grub/i386-pc');
  const core = join(folder, 'core.img');
  const where = ['-d', modules, '-O', 'i386-pc', '-p', '(,msdos1)/boot/grub', '-o', core];
  programs.run('usr/bin/grub-mkimage', [...where, ...MODULES]);
  const loader = { boot: readFileSync(join(modules, 'boot.img')), core: readFileSync(core) };
  const file = openSync(image, 'r+');
  writeSync(file, bootTrack(loader, DEBIAN_SIZE - FIRST_PARTITION, SIGNATURE));
  closeSync(file);
}

function makeDebian(folder: string, programs: Programs, { tree, entries }: Installed): void {
  const image = join(folder, DEBIAN);
  emptyImage(image, DEBIAN_SIZE);
  const place = { image, offset: FIRST_PARTITION, size: DEBIAN_SIZE - FIRST_PARTITION };
  makeExt4(programs, { ...place, uuid: ROOT_UUID, label: 'debian' }, tree, entries);
  writeLoader(image, programs, folder);
}

/** A file system on the whole disk, without a partition. */
function makePackages(folder: string, programs: Programs, packages: readonly string[]): void {
  const image = join(folder, PACKAGES);
  const files = join(folder, 'packages');
  mkdirSync(files);
  for (const path of packages) copyFileSync(path, join(files, basename(path)));
  emptyImage(image, PACKAGES_SIZE);
  const system = { image, offset: 0, size: PACKAGES_SIZE, uuid: PACKAGES_UUID, label: 'packages' };
  const paths = ['/', ...packages.map((path) => `/${basename(path)}`)];
  const entries = paths.map((path) => ({ path, uid: 0, gid: 0, time: TIME }));
  makeExt4(programs, system, files, entries);
}

/** `npm run guests -- disk`: the images, and what is in them (disk.json). */
export async function makeDisks(): Promise<void> {
  // What is left of a try that failed goes with the next.
  const folder = join(FOLDER, 'making-disk');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  console.log('Installing Debian 12 from its packages (a minute or two) ...');
  const installed = installDebian(folder);
  const programs = new Programs(installed.tree, TIME);
  console.log('Making its disk ...');
  makeDebian(folder, programs, installed);
  const hello = download('hello');
  makePackages(folder, programs, [hello]);
  for (const image of [DEBIAN, PACKAGES]) renameSync(join(folder, image), join(FOLDER, image));
  rmSync(folder, { recursive: true, force: true });
  const files = [await identity(DEBIAN), await identity(PACKAGES)];
  const fetched = (names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, versionOf(download(name))]));
  const others = { toServe: fetched(TO_SERVE), toUnpack: fetched(TO_UNPACK) };
  const contents = { packages: installed.packages, toInstall: { hello: versionOf(hello) }, ...others, files };
  writeFileSync(join(FOLDER, 'disk.json'), `${JSON.stringify(contents, undefined, 2)}\n`);
  const megabytes = statSync(join(FOLDER, DEBIAN)).blocks / 2048;
  console.log(`In .guests/: ${DEBIAN} (${Math.round(megabytes)} MB of ${DEBIAN_SIZE / MIB}), ${PACKAGES}. Try:`);
  console.log(
    '  npx retrovisor run -bios .guests/bios-256k.bin -m 512 -nodefaults -serial mon:stdio ' +
      `-drive file=.guests/${DEBIAN},format=raw,if=virtio`,
  );
}
