import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CpioEntry } from '../cpio.ts';

const LIBRARIES = 'lib/x86_64-linux-gnu';

const library = (name: string): readonly [string, string] => [`usr/${LIBRARIES}/${name}`, `${LIBRARIES}/${name}`];
const oldLibrary = (name: string): readonly [string, string] => [`${LIBRARIES}/${name}`, `${LIBRARIES}/${name}`];

/**
 * Programs that look at network cards and ask for leases, and libraries they need: by package of Debian, a file of it,
 * and where the guest has it. `*` of a folder: the one file that begins and ends so.
 */
export const TOOLS: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>> = {
  pciutils: [['usr/bin/lspci', 'bin/lspci']],
  ethtool: [['sbin/ethtool', 'bin/ethtool']],
  'dhcpcd-base': [['usr/sbin/dhcpcd', 'bin/dhcpcd']],
  'klibc-utils': [['usr/lib/klibc/bin/ipconfig', 'bin/ipconfig']],
  libklibc: [['lib/klibc-*.so', 'lib/']],
  libc6: [
    [`${LIBRARIES}/ld-linux-x86-64.so.2`, 'lib64/ld-linux-x86-64.so.2'],
    ...['libc.so.6', 'libm.so.6'].map(oldLibrary),
  ],
  libpci3: [library('libpci.so.3')],
  libkmod2: [library('libkmod.so.2')],
  libssl3: [library('libcrypto.so.3')],
  libzstd1: [library('libzstd.so.1')],
  liblzma5: [oldLibrary('liblzma.so.5')],
  zlib1g: [oldLibrary('libz.so.1')],
  libmnl0: [library('libmnl.so.0')],
  libudev1: [library('libudev.so.1')],
};

const FOLDERS = ['lib', 'lib64', LIBRARIES, 'run', 'var', 'var/lib'];

/** Files of packages by name, of those that `npm run guests -- net` put into a folder of guests. */
const packagesIn = (guests: string): Readonly<Record<string, string>> =>
  (JSON.parse(readFileSync(join(guests, 'net.json'), 'utf8')) as { tools?: Record<string, string> }).tools ?? {};

/** Whether a folder of guests has them all. */
export const hasTools = (guests: string): boolean => Object.keys(TOOLS).every((name) => name in packagesIn(guests));

/** These programs in an initramfs, from packages in a folder of guests. */
export function toolEntries(guests: string): CpioEntry[] {
  const tools = packagesIn(guests);
  const entries: CpioEntry[] = FOLDERS.map((name) => ({ kind: 'folder', name }));
  for (const [name, files] of Object.entries(TOOLS)) {
    const tree = mkdtempSync(join(tmpdir(), 'retrovisor-tool-'));
    try {
      execFileSync('dpkg-deb', ['-x', join(guests, 'packages', tools[name] ?? name), tree]);
      for (const [from, to] of files) {
        const path = found(tree, from);
        const at = to.endsWith('/') ? to + path.replace(/.*\//, '') : to;
        entries.push({ kind: 'file', name: at, bytes: readFileSync(join(tree, path)), executable: true });
      }
    } finally {
      rmSync(tree, { recursive: true });
    }
  }
  return entries;
}

function found(tree: string, pattern: string): string {
  const [folder = '', begins = '', ends = ''] = /^(.*\/)(.*)\*(.*)$/.exec(pattern)?.slice(1) ?? [];
  if (folder === '') return pattern;
  const name = readdirSync(join(tree, folder)).find((each) => each.startsWith(begins) && each.endsWith(ends));
  if (name === undefined) throw new Error(`The package holds no ${pattern}.`);
  return folder + name;
}
