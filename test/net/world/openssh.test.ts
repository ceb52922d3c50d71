import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { knownHosts } from '../../../src/net/world/ssh/host-key.ts';
import type { World } from '../../../src/net/world/world.ts';
import { LONG } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { Bench } from '../bench.ts';
import { type Door, doorTo } from './ssh-door.ts';

const HOST = '10.0.2.9';
const folder = mkdtempSync(join(tmpdir(), 'retrovisor-ssh-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string): string => join(folder, name);

interface Came {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

describe("OpenSSH's client", { ...LONG, ...without(tool('ssh')) }, () => {
  let bench: Bench;
  let door: Door;

  beforeAll(async () => {
    for (const name of ['own', 'other']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(name)]);
    }
    const keys = [readFileSync(file('own.pub'), 'utf8').trim()];
    const world: World = {
      hosts: [
        {
          ...{ name: 'peer', addresses: [HOST] },
          services: [
            {
              ...{ kind: 'ssh', port: 22 },
              users: [{ name: 'open' }, { name: 'root', password: 'secret' }, { name: 'keyed', keys }],
              commands: [
                { command: 'uname -a', output: 'Linux peer\n' },
                { command: 'fail', output: 'some\n', errors: 'wrong\n', status: 3 },
                { command: 'long', output: 'x'.repeat(60_000) },
                { command: 'cat', does: 'echo' },
                { command: 'sha256sum', does: 'hash' },
              ],
            },
          ],
        },
      ],
    };
    bench = new Bench(world);
    door = await doorTo(bench, HOST, 22);
    const [line = ''] = knownHosts(world);
    writeFileSync(file('known'), `${line.replace(`peer,${HOST}`, `[127.0.0.1]:${door.port}`)}\n`);
    writeFileSync(file('answer'), '#!/bin/sh\necho $SECRET\n');
    chmodSync(file('answer'), 0o755);
  });
  afterAll(() => door.close());

  /** Go to the server as a user, and do something there. */
  async function ssh(user: string, args: readonly string[], typed = '', secret = ''): Promise<Came> {
    const options = ['StrictHostKeyChecking=yes', `UserKnownHostsFile=${file('known')}`, 'NumberOfPasswordPrompts=1'];
    const where = ['-F', 'none', '-p', `${door.port}`, ...options.flatMap((option) => ['-o', option])];
    const env = { ...process.env, SSH_ASKPASS: file('answer'), SSH_ASKPASS_REQUIRE: 'force', SECRET: secret };
    const child = spawn('ssh', [...where, `${user}@127.0.0.1`, ...args], { env });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('latin1').on('data', (text: string) => (said.out += text));
    child.stderr.setEncoding('latin1').on('data', (text: string) => (said.err += text));
    child.stdin.end(typed, 'latin1');
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, ...said };
  }

  test('comes in, runs a command, and has its output and status', async () => {
    expect(await ssh('open', ['uname -a'])).toEqual({ status: 0, out: 'Linux peer\n', err: '' });
    expect(await ssh('open', ['fail'])).toEqual({ status: 3, out: 'some\n', err: 'wrong\n' });
    expect((await ssh('open', ['long'])).out).toBe('x'.repeat(60_000));
    expect(await ssh('open', ['nothing'])).toMatchObject({ status: 127, err: 'sh: 1: nothing: not found\n' });
  });

  test('comes in by a password and by a key, or does not', async () => {
    expect(await ssh('root', ['uname -a'], '', 'secret')).toMatchObject({ status: 0, out: 'Linux peer\n' });
    expect(await ssh('root', ['uname -a'], '', 'wrong')).toMatchObject({
      ...{ status: 255, out: '', err: expect.stringContaining('Permission denied (password)') },
    });
    expect(await ssh('keyed', ['-i', file('own'), 'uname -a'])).toMatchObject({ status: 0, out: 'Linux peer\n' });
    expect(await ssh('keyed', ['-i', file('other'), 'uname -a'])).toMatchObject({
      ...{ status: 255, err: expect.stringContaining('Permission denied (publickey)') },
    });
    expect(await ssh('nobody', ['uname -a'])).toMatchObject({ status: 255 });
  });

  test('sends 150,000 bytes and has them back, under keys that change on the way', async () => {
    const bytes = Array.from({ length: 150_000 }, (_, at) => String.fromCharCode((at * 7 + (at >> 8)) % 256)).join('');
    const { status, out } = await ssh('open', ['-o', 'RekeyLimit=32K', 'cat'], bytes);
    expect({ status, same: out === bytes }).toEqual({ status: 0, same: true });
    expect(bench.ofKind('sim:ssh_keyed').length).toBeGreaterThan(5);
    const sum = createHash('sha256').update(bytes, 'latin1').digest('hex');
    expect((await ssh('open', ['sha256sum'], bytes)).out).toBe(`${sum}  -\n`);
  });

  test('types lines into a shell, with a terminal and without', async () => {
    expect(await ssh('open', ['-T'], 'uname -a\nfail\nuname -a')).toEqual({
      ...{ status: 0, out: 'Linux peer\nsome\nLinux peer\n', err: 'wrong\n' },
    });
    const { status, out } = await ssh('open', ['-tt'], 'unamx\x7fe -a\rexit 7\r');
    expect(status).toBe(7);
    expect(out).toBe('$ unamx\b \be -a\r\nLinux peer\r\n$ exit 7\r\n');
  });

  test('does not come in where the host has another key', async () => {
    const known = readFileSync(file('known'), 'utf8');
    writeFileSync(file('known'), known.replace(/AAAA\S+/, readFileSync(file('other.pub'), 'utf8').split(' ')[1]!));
    const { status, err } = await ssh('open', ['uname -a']);
    writeFileSync(file('known'), known);
    expect({ status, err }).toMatchObject({
      status: 255,
      err: expect.stringContaining('HOST IDENTIFICATION HAS CHANGED'),
    });
  });

  test('leaves nothing behind that does not follow from the facts', () => {
    expect(bench.isFolded).toBe(true);
    expect(bench.ofKind('sim:ssh_said').every(({ message }) => !message.startsWith('DISCONNECT'))).toBe(true);
    for (const { app } of Object.values(bench.net.state.tcp.connections)) {
      expect(app).toMatchObject({ kind: 'ssh', isOver: true, channels: [] });
    }
  });
});
