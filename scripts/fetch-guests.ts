// `npm run guests`: Debian's cloud kernel, busybox in an initramfs, SeaBIOS, QEMU's kvmvapic ROM and Xen, into
// .guests/ (never committed). `npm run guests -- disk`: an installed Debian there, as the image of a disk.
// `npm run guests -- net`: a kernel with more drivers, iPXE, and tools for network cards.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type CpioEntry, cpioArchive } from './cpio.ts';
import {
  FOLDER,
  identity,
  Missing,
  output,
  packageBehind,
  requireApt,
  unpack,
  useListsThatKnow,
} from './guests/apt.ts';
import { makeDisks } from './guests/disk.ts';
import { makeNet } from './guests/net.ts';

const TREE = join(FOLDER, 'tree');

const INIT = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec setsid cttyhack sh
`;

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

async function fetchGuests(): Promise<void> {
  rmSync(TREE, { recursive: true, force: true });
  const kernel = packageBehind('linux-image-cloud-amd64', /Depends: (linux-image-\S+-cloud-amd64)\b/);
  const xen = packageBehind('xen-system-amd64', /Depends: (xen-hypervisor-\S+-amd64)\b/);
  const versions: Record<string, string> = {};
  for (const name of [kernel, 'busybox-static', 'seabios', 'qemu-system-data', xen]) {
    console.log(`Fetching ${name} ...`);
    versions[name] = unpack(name, TREE);
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
  const files = [];
  for (const file of ['vmlinuz', 'initramfs.gz', 'bios-256k.bin', 'kvmvapic.bin', 'xen']) {
    files.push(await identity(file));
  }
  writeFileSync(join(FOLDER, 'guests.json'), `${JSON.stringify({ versions, files }, undefined, 2)}\n`);
  rmSync(TREE, { recursive: true, force: true });
  console.log('In .guests/: vmlinuz, initramfs.gz, bios-256k.bin, kvmvapic.bin, xen. Try:');
  console.log(
    '  npx retrovisor run -kernel .guests/vmlinuz -initrd .guests/initramfs.gz -append "console=ttyS0" -m 256',
  );
}

/** What `npm run guests` makes, by what is said behind it. */
const GUESTS = { '': fetchGuests, disk: makeDisks, net: makeNet } as const;

async function make(wanted: readonly string[]): Promise<void> {
  const what = wanted.join(' ');
  if (!Object.hasOwn(GUESTS, what)) {
    throw new Missing(`There is no guest \`${what}\`: \`npm run guests\`, or with \`-- disk\` or \`-- net\`.`);
  }
  requireApt();
  mkdirSync(FOLDER, { recursive: true });
  useListsThatKnow('linux-image-cloud-amd64');
  await GUESTS[what as keyof typeof GUESTS]();
}

try {
  await make(process.argv.slice(2));
} catch (error) {
  const detail = error instanceof Error ? error.message : String(error);
  console.error(error instanceof Missing ? detail : `Fetching the guests failed: ${detail}`);
  process.exitCode = 1;
}
