import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { download, FOLDER, identity, Missing, packageBehind, unpack } from './apt.ts';
import { TOOLS } from './tools.ts';

/** Debian's kernel for all machines, which has more drivers than the one for clouds. */
const GENERIC_KERNEL = 'vmlinuz-generic';

/** iPXE for the network cards, as QEMU gives them. */
const NETWORK_ROMS = ['efi-e1000.rom', 'efi-rtl8139.rom', 'efi-virtio.rom'] as const;

/** `npm run guests -- net`: a kernel with a driver for the e1000, iPXE, tools, and what they are of (net.json). */
export async function makeNet(): Promise<void> {
  const tree = join(FOLDER, 'net-tree');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });
  const kernel = packageBehind('linux-image-amd64', /Depends: (linux-image-\S+-amd64)\b/);
  const versions: Record<string, string> = {};
  for (const name of [kernel, 'ipxe-qemu']) {
    console.log(`Fetching ${name} ...`);
    versions[name] = unpack(name, tree);
  }
  take(join(tree, `boot/vmlinuz-${kernel.replace('linux-image-', '')}`), GENERIC_KERNEL);
  for (const rom of NETWORK_ROMS) take(join(tree, 'usr/lib/ipxe/qemu', rom), rom);
  const tools: Record<string, string> = {};
  for (const name of Object.keys(TOOLS)) {
    console.log(`Fetching ${name} ...`);
    tools[name] = basename(download(name));
  }
  const files = [];
  for (const file of [GENERIC_KERNEL, ...NETWORK_ROMS]) files.push(await identity(file));
  writeFileSync(join(FOLDER, 'net.json'), `${JSON.stringify({ versions, tools, files }, undefined, 2)}\n`);
  rmSync(tree, { recursive: true, force: true });
  console.log(`In .guests/: ${[GENERIC_KERNEL, ...NETWORK_ROMS].join(', ')}. Try:`);
  console.log('  npx retrovisor run -bios .guests/bios-256k.bin -boot n -netdev user,id=n0 \\');
  console.log('    -device e1000,netdev=n0,romfile=.guests/efi-e1000.rom');
}

function take(source: string, to: string): void {
  if (!existsSync(source)) throw new Missing(`The package holds no ${source}.`);
  copyFileSync(source, join(FOLDER, to));
}
