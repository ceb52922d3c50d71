import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isHere, Missing, unpack } from './apt.ts';

/** The time of everything: the day Debian 12 came out. What is older in a package stays as old as it is there. */
export const TIME = 1_686_355_200;

/** The root file system, by which boot loader and kernel find it. */
export const ROOT_UUID = 'b00c1200-52e7-4051-a5e0-000000000001';

/** Who the machine is: systemd draws one at random where there is none. */
const MACHINE_ID = 'b00c120052e74051a5e0000000000000';

const PACKAGES = [
  'systemd-sysv',
  'dbus',
  'udev',
  'kmod',
  'login',
  'linux-image-cloud-amd64',
  'grub-pc-bin',
  'pciutils',
  // A network, and what one does with it.
  'ifupdown',
  'isc-dhcp-client',
  'curl',
  'openssh-client',
];

/** Nobody reads manuals there; packages put in later leave theirs out as well. */
const LEFT_OUT = [
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/locale/*',
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
];

/** Before the packages but the essential ones: an initramfs of what this machine's disks need, and no more. */
const BEFORE = `set -e
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
echo MODULES=list > "$1/etc/initramfs-tools/conf.d/retrovisor"
printf '%s\\n' virtio_pci virtio_blk ata_piix sd_mod ext4 > "$1/usr/share/initramfs-tools/modules.d/retrovisor"
`;

/** Besides its root. No tests of the kernel's own ciphers: they would be a sixth of the way to the login. */
const KERNEL_OPTIONS = 'ro console=ttyS0 cryptomgr.notests=1';

const GRUB = `serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=1
menuentry "Debian" {
  linux /vmlinuz root=UUID=${ROOT_UUID} ${KERNEL_OPTIONS}
  initrd /initrd.img
}
`;

/** As an installer writes it, but for a card of any name: which slot it is in says who makes the machine. */
const INTERFACES = `source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

allow-hotplug /e*
mapping e*
  script /etc/network/any-card
iface card inet dhcp
`;

/** What an installer asks a person; root has no password. Nothing is fetched of itself. */
const AFTER = `set -e
echo retrovisor > "$1/etc/hostname"
printf '127.0.0.1\\tlocalhost\\n127.0.1.1\\tretrovisor\\n' > "$1/etc/hosts"
rm -f "$1/etc/resolv.conf" "$1"/*.old
echo 'UUID=${ROOT_UUID} / ext4 errors=remount-ro 0 1' > "$1/etc/fstab"
chroot "$1" passwd --quiet --delete root
rm "$1"/etc/systemd/system/timers.target.wants/apt-daily*.timer
cat > "$1/etc/network/interfaces" <<'END'
${INTERFACES}END
printf '#!/bin/sh\\necho card\\n' > "$1/etc/network/any-card"
chmod 755 "$1/etc/network/any-card"
mkdir -p "$1/boot/grub"
cat > "$1/boot/grub/grub.cfg" <<'END'
${GRUB}END
`;

/** An installed Debian as files here, and who owns each there. */
export interface Installed {
  readonly tree: string;
  readonly entries: readonly Entry[];
  readonly packages: Readonly<Record<string, string>>;
}

export interface Entry {
  /** From the root, with a slash: `/etc/passwd`. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  /** When it was changed last, in seconds. */
  readonly time: number;
}

const UNSHARE =
  'Without root it needs `newuidmap` (Debian: apt-get install uidmap) and a line of yours in /etc/subuid.';

function requirePrograms(): void {
  const needed = ['perl', 'python3', 'tar'].filter((program) => !isHere(program));
  if (needed.length > 0) {
    throw new Missing(`Installing Debian needs ${needed.join(', ')} (Debian: apt-get install ${needed.join(' ')}).`);
  }
  if (process.getuid?.() !== 0 && spawnSync('newuidmap').error !== undefined) {
    throw new Missing(`Installing Debian starts its own programs in a root of their own. ${UNSHARE}`);
  }
}

/** mmdebstrap is a script: it needs to be here, but not to be installed. */
function mmdebstrap(folder: string, archive: string): void {
  const tools = join(folder, 'mmdebstrap');
  unpack('mmdebstrap', tools);
  const bin = join(tools, 'usr/bin');
  const options = [
    ...['--variant=minbase', '--components=main', `--include=${PACKAGES.join(',')}`],
    ...LEFT_OUT.map((option) => `--dpkgopt=${option}`),
    ...[`--essential-hook=${BEFORE}`, `--customize-hook=${AFTER}`, 'bookworm', '-'],
  ];
  const log = join(folder, 'mmdebstrap.log');
  const [out, said] = [openSync(archive, 'w'), openSync(log, 'w')];
  // Without root, others than the owner of this folder write: into what is open, not by name.
  const { status } = spawnSync('perl', [join(bin, 'mmdebstrap'), ...options], {
    stdio: ['ignore', out, said],
    env: {
      ...process.env,
      PATH: `${bin}:${process.env['PATH']}:/usr/sbin:/sbin`,
      LC_ALL: 'C.UTF-8',
      SOURCE_DATE_EPOCH: `${TIME}`,
    },
  });
  closeSync(out);
  closeSync(said);
  if (status === 0) return;
  const last = readFileSync(log, 'utf8').trim().split('\n').slice(-4).join('\n  ');
  throw new Missing(`mmdebstrap could not install Debian; it ended with:\n  ${last}\nAll of it: ${log}`);
}

const LINE = /^([-dlhcbps])\S{9}\S? +(\d+)\/(\d+) +\S+ (\S+ \S+) \.(\/.*)$/;

/** What an archive holds: `tar -tv --full-time --numeric-owner`, in UTC. */
export function entriesOf(listing: string): Entry[] {
  return listing
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, kind, uid, gid, date, rest = ''] = LINE.exec(line) ?? [];
      if (kind === undefined) throw new Error(`tar lists what is no file: ${line}`);
      const [name = ''] = kind === 'l' ? rest.split(' -> ') : kind === 'h' ? rest.split(' link to ') : [rest];
      const path = name.length > 1 ? name.replace(/\/$/, '') : name;
      return { path, uid: Number(uid), gid: Number(gid), time: Date.parse(`${date?.replace(' ', 'T')}Z`) / 1000 };
    });
}

function tar(...args: readonly string[]): string {
  const env = { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
  const options = ['--exclude=./dev/*', ...args];
  const ran = spawnSync('tar', options, { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (ran.status !== 0) throw new Error(`tar ${options.join(' ')}: ${ran.stderr.trim()}`);
  return ran.stdout;
}

function packagesIn(tree: string): Record<string, string> {
  const status = readFileSync(join(tree, 'var/lib/dpkg/status'), 'utf8');
  const found = [...status.matchAll(/^Package: (.*)\n(?:.+\n)*?Version: (.*)$/gm)];
  return Object.fromEntries(found.map(([, name, version]) => [name, version]));
}

/** Install Debian below a folder of our own, from the packages of the day. */
export function installDebian(folder: string): Installed {
  requirePrograms();
  const [archive, tree] = [join(folder, 'debian.tar'), join(folder, 'tree')];
  mmdebstrap(folder, archive);
  mkdirSync(tree);
  tar('-xpf', archive, '--no-same-owner', '-C', tree);
  const entries = entriesOf(tar('-tvf', archive, '--full-time', '--numeric-owner', '--quoting-style=literal'));
  writeFileSync(join(tree, 'etc/machine-id'), `${MACHINE_ID}\n`);
  return { tree, entries, packages: packagesIn(tree) };
}
