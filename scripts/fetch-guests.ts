// `npm run guests`: Debian's cloud kernel, busybox in an initramfs, SeaBIOS, QEMU's kvmvapic ROM and Xen, into
// .guests/ (never committed).
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type CpioEntry, cpioArchive } from './cpio.ts';

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../.guests');
const PACKAGES = join(FOLDER, 'packages');
const TREE = join(FOLDER, 'tree');

const INIT = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec setsid cttyhack sh
`;

class Missing extends Error {}

/** apt with lists of its own, so that neither root nor an earlier \`apt-get update\` is needed. */
const PRIVATE_LISTS = [`Dir::State::lists=${FOLDER}/apt/lists`, `Dir::Cache=${FOLDER}/apt/cache`].flatMap((option) => [
  '-o',
  option,
]);

let aptOptions: readonly string[] = [];

function output(program: string, args: readonly string[], cwd = FOLDER): string {
  return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function requirePrograms(): void {
  for (const program of ['apt-get', 'apt-cache', 'dpkg-deb']) {
    if (spawnSync(program, ['--version']).status === 0) continue;
    throw new Missing(
      `\`${program}\` is not here: the guests come from Debian's packages and need Debian 12 or a container of it. ` +
        'Any bzImage, initrd and SeaBIOS of your own work as well: see docs/guide.md.',
    );
  }
}

/** The candidate's file name in the archive's index, or undefined when apt knows no such package. */
function isKnown(name: string): boolean {
  const found = spawnSync('apt-cache', [...aptOptions, 'show', name], { encoding: 'utf8' });
  return found.status === 0 && found.stdout.includes(`Package: ${name}\n`);
}

function useListsThatKnow(name: string): void {
  if (isKnown(name)) return;
  console.log(`apt has no list with ${name}: fetching package lists of our own ...`);
  mkdirSync(join(FOLDER, 'apt/lists/partial'), { recursive: true });
  mkdirSync(join(FOLDER, 'apt/cache/archives/partial'), { recursive: true });
  aptOptions = PRIVATE_LISTS;
  const updated = spawnSync('apt-get', [...aptOptions, 'update'], { encoding: 'utf8' });
  if (isKnown(name)) return;
  throw new Missing(
    `apt offers no package ${name} here; Debian 12's main for amd64 does. ${updated.stderr.trim().split('\n').pop()}`,
  );
}

/** Download a package and unpack it into the tree. Returns its version. */
function unpack(name: string): string {
  mkdirSync(PACKAGES, { recursive: true });
  const begins = `${name}_`;
  for (const old of readdirSync(PACKAGES)) if (old.startsWith(begins)) rmSync(join(PACKAGES, old));
  output('apt-get', [...aptOptions, '-q', 'download', name], PACKAGES);
  const file = readdirSync(PACKAGES).find((candidate) => candidate.startsWith(begins));
  if (file === undefined) throw new Missing(`apt-get download ${name} left no file in ${PACKAGES}.`);
  output('dpkg-deb', ['-x', join(PACKAGES, file), TREE]);
  return output('dpkg-deb', ['-f', join(PACKAGES, file), 'Version']).trim();
}

/** The package that really holds what a name without a version only depends on. */
function packageBehind(name: string, pattern: RegExp): string {
  const depends = output('apt-cache', [...aptOptions, 'depends', name]);
  const found = pattern.exec(depends)?.[1];
  if (found === undefined) throw new Missing(`${name} depends on no image: see \`apt-cache depends ${name}\`.`);
  return found;
}

function initramfs(busybox: string): Uint8Array {
  const applets = output(busybox, ['--list']).trim().split('\n').sort();
  const entries: CpioEntry[] = ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp'].map((name) => ({
    kind: 'folder',
    name,
  }));
  entries.push({ kind: 'character-device', name: 'dev/console', major: 5, minor: 1 });
  entries.push({ kind: 'character-device', name: 'dev/null', major: 1, minor: 3 });
  entries.push({ kind: 'file', name: 'bin/busybox', bytes: readFileSync(busybox), executable: true });
  entries.push({ kind: 'file', name: 'init', bytes: Buffer.from(INIT), executable: true });
  for (const applet of applets) {
    if (applet !== 'busybox') entries.push({ kind: 'link', name: `bin/${applet}`, target: 'busybox' });
  }
  return gzipSync(cpioArchive(entries), { level: 9 });
}

function take(from: string, to: string): void {
  const source = join(TREE, from);
  if (!existsSync(source)) throw new Missing(`The package holds no ${from}.`);
  copyFileSync(source, join(FOLDER, to));
}

function fetchGuests(): void {
  requirePrograms();
  mkdirSync(FOLDER, { recursive: true });
  rmSync(TREE, { recursive: true, force: true });
  useListsThatKnow('linux-image-cloud-amd64');
  const kernel = packageBehind('linux-image-cloud-amd64', /Depends: (linux-image-\S+-cloud-amd64)\b/);
  const xen = packageBehind('xen-system-amd64', /Depends: (xen-hypervisor-\S+-amd64)\b/);
  const versions: Record<string, string> = {};
  for (const name of [kernel, 'busybox-static', 'seabios', 'qemu-system-data', xen]) {
    console.log(`Fetching ${name} ...`);
    versions[name] = unpack(name);
  }
  take(`boot/vmlinuz-${kernel.replace('linux-image-', '')}`, 'vmlinuz');
  // A multiboot loader takes it as it is, not compressed.
  const compressed = join(TREE, `boot/${xen.replace('xen-hypervisor-', 'xen-')}.gz`);
  writeFileSync(join(FOLDER, 'xen'), gunzipSync(readFileSync(compressed)));
  take('usr/share/seabios/bios-256k.bin', 'bios-256k.bin');
  take('usr/share/qemu/kvmvapic.bin', 'kvmvapic.bin');
  const busybox = ['bin/busybox', 'usr/bin/busybox'].map((path) => join(TREE, path)).find((path) => existsSync(path));
  if (busybox === undefined) throw new Missing('The package busybox-static holds no busybox.');
  writeFileSync(join(FOLDER, 'initramfs.gz'), initramfs(busybox));
  const files = ['vmlinuz', 'initramfs.gz', 'bios-256k.bin', 'kvmvapic.bin', 'xen'].map((file) => ({
    file,
    sha256: createHash('sha256')
      .update(readFileSync(join(FOLDER, file)))
      .digest('hex'),
  }));
  writeFileSync(join(FOLDER, 'guests.json'), `${JSON.stringify({ versions, files }, undefined, 2)}\n`);
  rmSync(TREE, { recursive: true, force: true });
  console.log('In .guests/: vmlinuz, initramfs.gz, bios-256k.bin, kvmvapic.bin, xen. Try:');
  console.log(
    '  npx retrovisor run -kernel .guests/vmlinuz -initrd .guests/initramfs.gz -append "console=ttyS0" -m 256',
  );
}

try {
  fetchGuests();
} catch (error) {
  const detail = error instanceof Error ? error.message : String(error);
  console.error(error instanceof Missing ? detail : `Fetching the guests failed: ${detail}`);
  process.exitCode = 1;
}
