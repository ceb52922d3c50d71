/** Two installed Debians on a bridge, with a mirror that has what they need of each other. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf } from '../net/world.ts';
import { PROMPT, type Said, typed } from '../sessions.ts';

/** What a Debian that serves has, beside what is installed. */
export const PACKAGES = [
  ...['openssh-server', 'libwrap0', 'libnsl2', 'libtirpc3', 'iperf3', 'libiperf0', 'libsctp1', 'busybox'],
];

export const BIG = bytesOf(1 << 20);

const SERVER = '10.9.0.11';
/** Seconds since power-on at which the conversation is over: 30 minutes. */
const LONG = 1800;

const ROUTE = 'until ip route | grep ^default; do sleep 1; done';
const card = (address: string): string => `ip addr add ${address}/24 dev $(ls /sys/class/net | grep ^e)`;
const GET = `for p in ${PACKAGES.join(' ')}; do curl -sSO http://mirror.test/$p.deb; dpkg -x $p.deb /opt; done`;
const LIBRARIES = 'export LD_LIBRARY_PATH=$(ls -d /opt/*lib/x86_64* /opt/usr/lib/x86_64* 2>/dev/null | tr "\\n" :)';

const FILE = `curl -sS http://${SERVER}/big | sha256sum`;
const RUNS = `ssh -o StrictHostKeyChecking=accept-new root@${SERVER} hostname`;
const PIPED = `curl -sS http://${SERVER}/big | ssh root@${SERVER} sha256sum`;
const SENDS = `/opt/usr/bin/iperf3 -c ${SERVER} -n 32M`;
const RECEIVES = `/opt/usr/bin/iperf3 -R -c ${SERVER} -n 32M`;
const WAITS =
  `n=0; while [ $(cut -d. -f1 /proc/uptime) -lt ${LONG} ]; do sleep 30; ` +
  `/opt/bin/busybox ping -c 1 -W 1 ${SERVER} > /dev/null && n=$((n+1)) || echo lost; done; echo $n answers`;

export const ASKED = { FILE, RUNS, PIPED, SENDS, RECEIVES, WAITS };

const SERVES = [
  ...[ROUTE, card(SERVER), GET, LIBRARIES, 'hostname server', 'useradd -r -d /run/sshd sshd; mkdir -p /run/sshd'],
  ...['mkdir -p -m 700 .ssh; curl -sS http://mirror.test/id.pub > .ssh/authorized_keys'],
  ...["ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/own; mkdir /www; curl -sSo /www/big http://mirror.test/big"],
  ...['/opt/usr/sbin/sshd -f /dev/null -h /etc/ssh/own; echo $?', '/opt/usr/bin/iperf3 -s -D; echo $?'],
  ...['/opt/bin/busybox httpd -p 80 -h /www; echo yes > /www/ready'],
];

const ASKS = [
  ...[
    ROUTE,
    card('10.9.0.10'),
    GET,
    LIBRARIES,
    'mkdir -p -m 700 .ssh; curl -sSo .ssh/id_ed25519 http://mirror.test/id',
  ],
  ...['chmod 600 .ssh/id_ed25519', `until curl -sSf http://${SERVER}/ready; do sleep 5; done`],
  ...[FILE, RUNS, PIPED, SENDS, RECEIVES, WAITS, `ssh root@${SERVER} poweroff`, 'poweroff'],
];

const session = (commands: readonly string[]): Said[] => [
  { after: 'login: ', text: 'root' },
  ...commands.map((text) => ({ after: PROMPT, text })),
];

/** The texts of `--type`, as a file of machines has them. */
const lines = (commands: readonly string[]): string[] => typed(session(commands)).filter((each) => each !== '--type');

/** Write what the run is made from. Returns the path of its file of machines. */
export function writeDebians(folder: string, guest: (name: string) => string): string {
  const web = join(folder, 'web');
  mkdirSync(web, { recursive: true });
  const fetched = readdirSync(guest('packages'));
  for (const name of PACKAGES) {
    copyFileSync(
      join(guest('packages'), fetched.find((each) => each.startsWith(`${name}_`))!),
      join(web, `${name}.deb`),
    );
  }
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'root@retrovisor', '-f', join(web, 'id')]);
  writeFileSync(join(web, 'big'), BIG);
  const services = [{ kind: 'http', port: 80, folder: 'web' }];
  writeFileSync(
    join(folder, 'world.json'),
    JSON.stringify({ hosts: [{ name: 'mirror.test', addresses: ['10.0.2.100'], services }] }),
  );
  const common = {
    ...{ bios: guest('bios-256k.bin'), m: 512, nodefaults: true, serial: 'stdio', netdev: 'tap,id=n0,br=br0' },
    ...{ drive: `file=${guest('debian.raw')},format=raw,if=virtio`, device: 'virtio-net-pci,netdev=n0' },
  };
  const machines = { server: { type: lines(SERVES) }, client: { type: lines(ASKS) } };
  const bridges = { br0: { netdev: `user,id=net,world=${join(folder, 'world.json')}`, ports: ['net'] } };
  const path = join(folder, 'machines.json');
  writeFileSync(path, JSON.stringify({ common, machines, bridges }));
  return path;
}
