import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DebianKernel, writeInitramfs } from '../../scripts/guests/initramfs.ts';

/** One thing the guest does with its network: `command` for its shell. */
export interface Load {
  readonly name: string;
  readonly command: string;
  /** Of payload; 0: it is not about them. */
  readonly bytes: number;
}

const MIB = 2 ** 20;
const SIZE = 16 * MIB;
const PINGS = 100;

export const LOADS: readonly Load[] = [
  { name: 'download 16 MiB', command: 'wget -q -O /dev/null $url/file', bytes: SIZE },
  { name: 'upload 16 MiB', command: 'wget -q -O /dev/null --post-file=/tmp/file $url/upload', bytes: SIZE },
  { name: `${PINGS} pings`, command: `ping -q -c ${PINGS} -i 0.01 10.0.2.2 >/dev/null`, bytes: 0 },
];

/** What the guest is told on its command line: where the file is. */
export const OUR_URL = 'url=http://10.0.2.100';

const script = [
  'network',
  'ip link set lo up; ip link set eth0 up; sleep 3',
  'ip addr add 10.0.2.15/24 dev eth0; ip route add default via 10.0.2.2',
  'url=$(sed "s/.*url=//" /proc/cmdline)',
  // What busybox posts ends at the first zero.
  `tr '\\000' x < /dev/urandom | head -c ${SIZE} > /tmp/file`,
  'ping -q -c 1 10.0.2.2 >/dev/null',
  ...LOADS.map(
    ({ name, command }) =>
      `echo "BENCH begin ${name}"\n${command} 2>/tmp/said || cat /tmp/said\necho "BENCH end ${name}"`,
  ),
  'poweroff -f',
  '',
].join('\n');

export const makeInitrd = (guests: string, folder: string, kernel: DebianKernel): string =>
  writeInitramfs(guests, join(folder, `${kernel}.gz`), script, { kernel });

/** A world with a host that has the file. Returns the path of its description. */
export function makeWorld(folder: string): string {
  mkdirSync(join(folder, 'web'), { recursive: true });
  writeFileSync(join(folder, 'web/file'), randomBytes(SIZE));
  const services = [{ kind: 'http', port: 80, folder: 'web' }];
  const path = join(folder, 'world.json');
  writeFileSync(path, JSON.stringify({ hosts: [{ addresses: ['10.0.2.100'], services }] }));
  return path;
}

/** The same for QEMU: a server of this machine, which guests reach as 10.0.2.2. */
export async function serve(): Promise<{ readonly server: Server; readonly url: string }> {
  const file = randomBytes(SIZE);
  const server = createServer((request, response) => {
    if (request.method === 'GET') response.end(file);
    else request.resume().on('end', () => response.end('taken\n'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `url=http://10.0.2.2:${(server.address() as AddressInfo).port}` };
}
