import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fold } from '../../../src/cli/replay-commands.ts';
import { LONG } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { guestFile, printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, noLinux } from '../linux/initramfs.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const BIN = join(import.meta.dirname, '../../../bin/retrovisor.js');

/** Tells its neighbour what a visitor from outside said. */
const WEB = `network
ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ip link set eth1 up; ip addr add 10.9.0.10/24 dev eth1
echo ready
nc -l -p 80 > /said; nc 10.9.0.11 2000 < /said
poweroff -f
`;

const NEIGHBOUR = `network
ip link set eth0 up; ip addr add 10.9.0.11/24 dev eth0
nc -l -p 2000
poweroff -f
`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** `web` is reached by this port of the host's, and has a cable to the other. */
function machineFile(port: number): string {
  const common = {
    ...{ kernel: guestFile('vmlinuz'), m: 256, nodefaults: true, serial: 'stdio' },
    append: 'console=ttyS0 panic=-1 quiet cryptomgr.notests=1 rdinit=/script',
  };
  const web = {
    initrd: initramfs(file('web.gz'), WEB),
    netdev: [`user,id=u0,hostfwd=tcp:127.0.0.1:${port}-:80`, 'frames,id=n0'],
    device: ['virtio-net-pci,netdev=u0', 'virtio-net-pci,netdev=n0'],
  };
  const neighbour = {
    ...{ initrd: initramfs(file('neighbour.gz'), NEIGHBOUR), netdev: 'frames,id=n0' },
    device: 'virtio-net-pci,netdev=n0',
  };
  const cables = [{ between: ['web:n0', 'neighbour:n0'] }];
  writeFileSync(file('web.json'), JSON.stringify({ common, machines: { web, neighbour }, cables }));
  return file('web.json');
}

describe('one of several machines', { ...LONG, ...without(noLinux()) }, () => {
  test('is reached from the host, and replays without it', async () => {
    const port = await freePort();
    const trace = file('web.trace');
    const args = [BIN, 'run', '--machine', machineFile(port), '--trace', trace, '--wall-clock', '17'];
    const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void running.kill('SIGKILL'));
    let out = '';
    const visit = (): void => {
      const socket = connect(port, '127.0.0.1', () => void socket.end('from outside\n'));
    };
    running.stdout.on('data', (bytes) => {
      const wasReady = out.includes('ready');
      out += String(bytes);
      // It says so before it listens.
      if (!wasReady && out.includes('ready')) setTimeout(visit, 3000);
    });
    running.stderr.resume();
    const [status] = (await once(running, 'close')) as [number];
    expect(out).toContain('neighbour | from outside');
    expect(status).toBe(0);
    expect(retrovisor(['verify', trace])).toMatchObject({
      ...{ status: 0, out: expect.stringContaining('2 of 2 traces equal') },
    });
    expect(await printed((print) => fold(`${trace}:web`, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
    expect(retrovisor(['events', `${trace}:web`, '--inputs']).out).toContain('sim:socket_accepted');
  }, 400_000);
});
