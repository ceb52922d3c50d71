import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { framed } from '../../../src/packets/framed.ts';
import { firstOfLongest, LONG } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { freePort } from './servers.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const SCRIPT = `${readFileSync(new URL('pair.sh', import.meta.url), 'utf8')}poweroff -f\n`;
const RETROVISOR = join(import.meta.dirname, '../../../bin/retrovisor.js');
const SECONDS_TO_OPEN = 30;

const started: ChildProcess[] = [];

afterEach(() => {
  for (const each of started.splice(0)) each.kill();
});

/** What a machine said, when it has come to its end. */
async function said(command: string, args: readonly string[]): Promise<string> {
  const ran = spawn(command, args);
  started.push(ran);
  ran.stdin.end();
  let out = '';
  for (const stream of [ran.stdout, ran.stderr])
    stream.on('data', (bytes: Buffer) => (out += bytes.toString('latin1')));
  const [status] = (await once(ran, 'close')) as [number];
  expect({ status, out }).toMatchObject({ status: 0, out: expect.stringContaining('= done') });
  return out.replaceAll('\r', '');
}

const ADDRESSES = ['10.1.0.1', '10.1.0.2'] as const;

/** Arguments of one of the two guests: its network, and its card. QEMU takes them, too. */
function guest(own: 0 | 1, netdev: string): string[] {
  const words = `own=${ADDRESSES[own]} other=${ADDRESSES[1 - own]}`;
  const card = `virtio-net-pci,netdev=n0,mac=52:54:00:00:00:0${own + 1}`;
  return [...linuxWith(file('pair.gz'), words), '-netdev', `${netdev},id=n0`, '-device', card];
}

interface Ends {
  readonly ours: string;
  readonly qemus: string;
  /** Who is there first, for the other to connect to. */
  readonly first: 'ours' | 'qemus' | 'either';
  isOpen(): boolean;
}

const inet = (which: string, port: number): string =>
  `${which}.type=inet,${which}.host=127.0.0.1,${which}.port=${port}`;

/** Somebody listens at a port of this machine's. */
function listens(port: number): boolean {
  const at = `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`;
  return readFileSync('/proc/net/tcp', 'latin1').includes(at);
}

const WAYS: Readonly<Record<string, () => Promise<Ends>>> = {
  async 'a stream to where QEMU listens'() {
    const port = await freePort();
    const ours = `stream,${inet('addr', port)}`;
    return { ours, qemus: `stream,server=on,${inet('addr', port)}`, first: 'qemus', isOpen: () => listens(port) };
  },
  async 'a stream from a QEMU that comes by a path'() {
    const path = file('wire');
    const at = `addr.type=unix,addr.path=${path}`;
    return { ours: `stream,server=on,${at}`, qemus: `stream,${at}`, first: 'ours', isOpen: () => existsSync(path) };
  },
  async 'a socket that QEMU connects to'() {
    const port = await freePort();
    const at = `127.0.0.1:${port}`;
    return { ours: `socket,listen=${at}`, qemus: `socket,connect=${at}`, first: 'ours', isOpen: () => listens(port) };
  },
  async datagrams() {
    const [one, other] = [await freePort(), await freePort()];
    return {
      ours: `dgram,${inet('local', one)},${inet('remote', other)}`,
      qemus: `dgram,${inet('local', other)},${inet('remote', one)}`,
      first: 'either',
      isOpen: () => true,
    };
  },
};

/** Run both guests to their ends. */
async function conversation({ ours, qemus, first, isOpen }: Ends, trace: string): Promise<readonly [string, string]> {
  const begin = [
    () => said(process.execPath, [RETROVISOR, 'run', ...guest(0, ours), '--trace', trace]),
    () => said('qemu-system-x86_64', ['-M', 'pc', ...guest(1, qemus)]),
  ];
  const one = first === 'qemus' ? 1 : 0;
  const begun = begin[one]!();
  for (let waited = 0; !isOpen() && waited < SECONDS_TO_OPEN * 10; waited++) await after(100);
  const both = await Promise.all([begun, begin[1 - one]!()]);
  return one === 0 ? [both[0], both[1]] : [both[1], both[0]];
}

/** What a guest said under a heading. */
const part = (out: string, name: string): string =>
  out
    .split(/^= /m)
    .find((each) => each.startsWith(name))
    ?.slice(name.length)
    .trim() ?? '';

describe('a Linux whose network goes on at a QEMU with another', {
  ...LONG,
  ...without(noLinux(), tool('qemu-system-x86_64')),
}, () => {
  beforeAll(() => void initramfs(file('pair.gz'), SCRIPT));

  test.each(firstOfLongest(2, Object.entries(WAYS)))('by %s', { timeout: 900_000 }, async (name, ends) => {
    const trace = file(`${name}.trace`);
    const [ours, qemus] = await conversation(await ends(), trace);
    for (const out of [ours, qemus]) {
      expect(part(out, 'ping')).toMatch(/\b10 packets transmitted, 10 packets received, 0% packet loss/);
    }
    // Each has what the other gave, and they gave different files.
    expect(part(ours, 'got')).toBe(part(qemus, 'own'));
    expect(part(qemus, 'got')).toBe(part(ours, 'own'));
    expect(part(ours, 'own')).toMatch(/^[0-9a-f]{32} /);
    expect(part(ours, 'own')).not.toBe(part(qemus, 'own'));
    expect(retrovisor(['replay', trace]).out).toContain(' 0 divergences');
    expect(await printed((print) => fold(trace, print))).toMatch(/[1-9]\d* digests of \d+ slices equal/);
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
    const lost = retrovisor(['events', trace, '--event', 'sim:frame_refused']).out;
    expect(lost).not.toContain('sim:frame_refused');
  });

  test('opens no socket when it comes out again, is stood in, and forks', {
    timeout: 900_000,
    ...without(tool('strace')),
  }, async () => {
    const trace = file(`${Object.keys(WAYS)[0]}.trace`);
    const again: readonly (readonly [words: string[], expected: string])[] = [
      [['replay', trace], ' 0 divergences'],
      [['rerun', trace], ' 0 divergences'],
      [['fold', trace], ' slices equal'],
      [['fork', trace, '--at', '90%', '--set', 'type x', '--trace', file('fork.trace')], 'fork.trace'],
    ];
    for (const [words, expected] of again) {
      const network = ['-f', '-qq', '-e', 'trace=socket,connect,bind,listen,sendto', '-o', file('calls')];
      const ran = spawnSync('strace', [...network, process.execPath, RETROVISOR, ...words], { encoding: 'utf8' });
      expect(ran.stdout + ran.stderr).toContain(expected);
      expect(readFileSync(file('calls'), 'utf8')).not.toMatch(/AF_INET/);
    }
  });
});

test('a connection that is open already is a descriptor', { ...LONG, timeout: 120_000 }, async () => {
  const trace = file('descriptor.trace');
  const net = ['-netdev', 'socket,id=s,fd=3', '-device', 'e1000,netdev=s'];
  const ran = spawn(process.execPath, [RETROVISOR, 'run', '--ticks', '20000000', ...net, '--trace', trace], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  started.push(ran);
  const wire = ran.stdio[3] as Socket;
  wire.on('error', () => undefined);
  wire.write(framed(new Uint8Array(60).fill(7)));
  const [status] = (await once(ran, 'close')) as [number];
  expect(status).toBe(0);
  const events = retrovisor(['events', trace, '--event', 'sim:*']).out;
  expect(events).toMatch(/sim:carrier_set: dev socket#0 on connected\n/);
  expect(events).toMatch(/sim:frame_received: dev socket#0 60 bytes\n/);
  expect(retrovisor(['replay', trace]).out).toContain(' 0 divergences');
});
