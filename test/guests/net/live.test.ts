import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { LONG } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { freePort, type Servers, startServers } from './servers.ts';
import { bytesOf } from './world.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const SCRIPT = `${readFileSync(new URL('live.sh', import.meta.url), 'utf8')}poweroff -f\n`;
const CONTENT = bytesOf(1 << 20);
const RETROVISOR = join(import.meta.dirname, '../../../bin/retrovisor.js');

const hash = (algorithm: string, bytes: Uint8Array): string => createHash(algorithm).update(bytes).digest('hex');

/** What a script said under each of its headings. */
const parts = (out: string): string[] => out.replaceAll('\r', '').split(/^= /m).slice(1);

/** Get a file from a guest, and give its netcat the same. */
async function visit(http: number, netcat: number): Promise<Uint8Array> {
  const response = await fetch(`http://127.0.0.1:${http}/one.bin`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const socket = connect(netcat, '127.0.0.1');
  socket.end(CONTENT);
  socket.resume();
  await once(socket, 'close');
  return bytes;
}

describe('a Linux that reaches servers of this machine', { ...LONG, ...without(noLinux()) }, () => {
  const trace = file('live.trace');
  let servers: Servers;
  let heard: string[];
  let fetched: Uint8Array;

  beforeAll(async () => {
    writeFileSync(file('one.bin'), CONTENT);
    servers = await startServers(folder, CONTENT);
    const [http, netcat] = [await freePort(), await freePort()];
    const named = Object.entries(servers.ports).filter(([name]) => name !== 'unnamed');
    const live = named.map(([, port]) => `localhost:${port}`).join('+');
    const forwards = `hostfwd=tcp:127.0.0.1:${http}-:80,hostfwd=tcp:127.0.0.1:${netcat}-:2222`;
    const said = Object.entries(servers.ports).map(([name, port]) => `port.${name}=${port}`);
    initramfs(file('live.gz'), SCRIPT);
    const ran = spawn(process.execPath, [
      ...[RETROVISOR, 'run', ...linuxWith(file('live.gz'), said.join(' ')), '--trace', trace],
      ...['-netdev', `user,id=n0,live=${live},${forwards}`, '-device', 'virtio-net-pci,netdev=n0'],
    ]);
    ran.stdin.end();
    let out = '';
    let visiting: Promise<Uint8Array> | undefined;
    ran.stdout.on('data', (bytes: Buffer) => {
      out += bytes.toString('latin1');
      if (out.includes('= ready')) visiting ??= visit(http, netcat);
    });
    ran.stderr.on('data', (bytes: Buffer) => (out += bytes.toString('latin1')));
    const [status] = (await once(ran, 'close')) as [number];
    expect({ status, out }).toMatchObject({ status: 0, out: expect.stringContaining('= done') });
    fetched = (await visiting) ?? new Uint8Array();
    heard = parts(out);
  }, 600_000);

  afterAll(() => servers.close());

  const part = (name: string): string => heard.find((each) => each.startsWith(name)) ?? '';

  test('gets and puts files as they are', () => {
    expect(part('get')).toContain(hash('md5', CONTENT));
    expect(part('put')).toContain(`${CONTENT.length} bytes, sha256 ${hash('sha256', CONTENT)}\nstatus 0`);
    expect(part('python')).toContain(hash('md5', CONTENT));
    expect(part('datagram').trim()).toBe('datagram\nhello');
  });

  test('meets peers that reset, stall and are not there', () => {
    expect(part('reset')).toContain('status 1');
    expect(part('stall')).toContain('47 bytes');
    expect(part('refused')).toContain('status 1');
  });

  test('reaches nobody whom no person has named', () => {
    expect(part('unnamed')).toMatch(/^unnamed\n.*refused\nstatus 1/);
    expect(part('outside')).toContain('status 1');
    expect(part('name').trim()).toBe('name 2');
    expect(servers.visits.get('unnamed')).toBeUndefined();
    const asked = retrovisor(['events', trace, '--event', 'sim:socket_asked']).out;
    expect(asked).not.toMatch(/ open (?!127\.0\.0\.1\.)/);
    expect(asked).not.toContain(`.${servers.ports['unnamed']}\n`);
  });

  test('is reached by ports of the host', () => {
    expect(hash('md5', fetched)).toBe(hash('md5', CONTENT));
    expect(part('got')).toContain(hash('md5', CONTENT));
  });

  test('comes out again, with the processor and without', async () => {
    expect(retrovisor(['replay', trace]).out).toContain(' 0 divergences');
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
    expect(await printed((print) => fold(trace, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
  }, 600_000);

  describe('opens no socket', without(tool('strace')), () => {
    test('when it comes out again', { timeout: 600_000 }, () => {
      const network = ['-f', '-qq', '-e', 'trace=socket,connect,bind,listen,sendto', '-o', file('calls')];
      const ran = spawnSync('strace', [...network, process.execPath, RETROVISOR, 'replay', trace], {
        encoding: 'utf8',
      });
      expect(ran.stdout).toContain(' 0 divergences');
      // Pipes of Node's own are none of the internet.
      expect(readFileSync(file('calls'), 'utf8')).not.toMatch(/AF_INET/);
    });
  });
});
