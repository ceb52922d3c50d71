import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type CpioEntry, cpioArchive } from '../cpio.ts';

/** Drivers that Debian's cloud kernel has as modules, each behind those it needs. */
const CLOUD_DRIVERS = [
  ...['drivers/virtio/virtio_ring', 'drivers/virtio/virtio', 'drivers/virtio/virtio_pci_modern_dev'],
  ...['drivers/virtio/virtio_pci_legacy_dev', 'drivers/virtio/virtio_pci', 'drivers/block/virtio_blk'],
  'drivers/char/hw_random/virtio-rng',
];

/** Those of its network card, which are loaded when a script asks for them. */
const CLOUD_NETWORK = ['net/core/failover', 'drivers/net/net_failover', 'drivers/net/virtio_net'];

/** Kernels of Debian, the file that says which, and their drivers. */
const KERNELS = {
  cloud: { said: 'guests.json', drivers: CLOUD_DRIVERS, network: CLOUD_NETWORK },
  generic: {
    said: 'net.json',
    drivers: CLOUD_DRIVERS.filter((name) => !name.endsWith('virtio-rng')),
    network: [
      ...[...CLOUD_NETWORK, 'drivers/net/ethernet/intel/e1000/e1000'],
      ...['drivers/net/mii', 'drivers/net/ethernet/realtek/8139cp'],
    ],
  },
} as const;

export type DebianKernel = keyof typeof KERNELS;

/** Before a script's own lines. */
const FIRST = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done
network() { for module in /network/*.ko; do insmod $module; done; }
`;

/** What an initramfs is made of besides its script. */
export interface InitramfsOptions {
  readonly kernel?: DebianKernel;
  /** Further files, like programs of `toolEntries`. */
  readonly more?: readonly CpioEntry[];
  /** Drivers of VLANs, too: `/vlans/*.ko`, in the order they are to be loaded. */
  readonly vlans?: boolean;
}

/** What a kernel needs for frames with tags, each behind those it needs. */
const VLANS = ['net/llc/llc', 'net/802/stp', 'net/802/garp', 'net/802/mrp', 'net/8021q/8021q'];

/**
 * Write an initramfs with busybox in which a kernel's drivers of virtio are loaded and a script is run, which has those
 * of network cards loaded by `network`: two archives, that of a folder of guests and one behind it, which the kernel
 * unpacks one after the other. Returns its path.
 */
export function writeInitramfs(
  guests: string,
  path: string,
  script: string,
  { kernel = 'cloud', more = [], vlans = false }: InitramfsOptions = {},
): string {
  const { drivers, network } = KERNELS[kernel];
  const loads = [['modules', drivers] as const, ['network', network] as const, ['vlans', vlans ? VLANS : []] as const];
  const entries: CpioEntry[] = ['modules', 'network', 'mnt', ...(vlans ? ['vlans'] : [])].map((name) => ({
    kind: 'folder',
    name,
  }));
  const modules = modulesOf(
    guests,
    kernel,
    loads.flatMap(([, names]) => names),
  );
  for (const [folder, names] of loads) {
    for (const [at, name] of names.entries()) {
      const file = `${folder}/${at}-${name.replace(/.*\//, '')}.ko`;
      entries.push({ kind: 'file', name: file, bytes: modules.get(name)!, executable: false });
    }
  }
  entries.push({ kind: 'file', name: 'script', bytes: Buffer.from(FIRST + script), executable: true });
  entries.push(...more);
  writeFileSync(path, Buffer.concat([readFileSync(join(guests, 'initramfs.gz')), gzipSync(cpioArchive(entries))]));
  return path;
}

/** A kernel's drivers by their names, each behind those it needs; of virtio and of network cards if not said. */
export function modulesOf(
  guests: string,
  which: DebianKernel,
  names: readonly string[] = [...KERNELS[which].drivers, ...KERNELS[which].network],
): ReadonlyMap<string, Uint8Array> {
  const { said } = KERNELS[which];
  const { versions } = JSON.parse(readFileSync(join(guests, said), 'utf8')) as { versions: object };
  const [kernel, version] = Object.entries(versions).find(([name]) => name.startsWith('linux-image-')) ?? [];
  const file = join(guests, `packages/${kernel}_${version?.replaceAll(':', '%3a')}_amd64.deb`);
  const tree = mkdtempSync(join(tmpdir(), 'retrovisor-modules-'));
  try {
    const archive = execFileSync('dpkg-deb', ['--fsys-tarfile', file], { maxBuffer: 1 << 30 });
    const folder = `./lib/modules/${kernel?.replace('linux-image-', '')}/kernel`;
    execFileSync('tar', ['-x', '-C', tree, ...names.map((name) => `${folder}/${name}.ko`)], { input: archive });
    return new Map(names.map((name) => [name, readFileSync(join(tree, folder, `${name}.ko`))]));
  } finally {
    rmSync(tree, { recursive: true });
  }
}
