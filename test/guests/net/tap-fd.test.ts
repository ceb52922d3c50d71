import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { LONG } from '../../how-long.ts';
import { type Aside, tool, without } from '../../stepping-aside.ts';
import { retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { bytesOf } from './world.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const RETROVISOR = join(import.meta.dirname, '../../../bin/retrovisor.js');
const OPENER = fileURLToPath(new URL('tap.py', import.meta.url));
const CONTENT = bytesOf(1 << 20);
const FD = '9';

const SCRIPT = `
network
ip link set eth0 up
ip addr add 10.77.0.2/24 dev eth0
ping -c 5 -i 0.2 10.77.0.1
wget -q -O - http://10.77.0.1/one.bin | md5sum
poweroff -f
`;

const words = (more: readonly string[]): string[] => [
  ...['-n', 'python3', OPENER, FD, '10.77.0.1', file('web'), process.execPath, RETROVISOR, 'run'],
  ...more,
];

/** A namespace with a tap in it takes a root's rights. */
function noTap(): Aside | undefined {
  const made = spawnSync('unshare', ['-n', 'ip', 'tuntap', 'add', 'wire0', 'mode', 'tap']);
  return made.status === 0 ? undefined : { what: 'tap', why: 'No tap can be made here.', kind: 'host' };
}

describe('a Linux by a tap of the host', { ...LONG, ...without(noLinux(), tool('unshare'), noTap()) }, () => {
  test('gets a file of the host, and comes out again without', { timeout: 600_000 }, () => {
    const trace = file('tap.trace');
    mkdirSync(file('web'));
    writeFileSync(file('web/one.bin'), CONTENT);
    initramfs(file('tap.gz'), SCRIPT);
    const net = ['-netdev', `tap,id=t0,fd=${FD}`, '-device', 'virtio-net-pci,netdev=t0'];
    const ran = spawnSync('unshare', words([...linuxWith(file('tap.gz')), ...net, '--trace', trace]), {
      encoding: 'utf8',
      input: '',
    });
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.stdout).toContain('5 packets transmitted, 5 packets received, 0% packet loss');
    expect(ran.stdout).toContain(createHash('md5').update(CONTENT).digest('hex'));
    expect(retrovisor(['replay', trace]).out).toContain(' 0 divergences');
  });

  test.each([
    ['99', 'Cannot use descriptor 99 as a tap: it is not open.'],
    ['1', 'Cannot use descriptor 1 as a tap: it is no tap.'],
  ])('refuses descriptor %s', (fd, sentence) => {
    mkdirSync(file('web'), { recursive: true });
    const ran = spawnSync('unshare', words(['-nodefaults', '-netdev', `tap,id=t0,fd=${fd}`, '--no-trace']), {
      encoding: 'utf8',
      input: '',
    });
    expect(ran.stderr).toContain(sentence);
    expect(ran.status).not.toBe(0);
  });
});
