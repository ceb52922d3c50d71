import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../house/sources.ts';
import { without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const BIN = join(ROOT, 'bin/retrovisor.js');

/** What is printed to whoever is at a socket. */
function heard(socket: Socket) {
  let said = '';
  socket.on('data', (bytes) => {
    said += bytes.toString('latin1');
  });
  return {
    all: () => said,
    async until(text: string): Promise<void> {
      while (!said.includes(text)) await once(socket, 'data');
    },
  };
}

const firstLine = async (stream: NodeJS.ReadableStream): Promise<string> => String((await once(stream, 'data'))[0]);

describe('a console on a socket', without(noGuests('vmlinuz', 'initramfs.gz')), () => {
  const folder = scratchFolder();
  const machine = ['-m', '256', '-nodefaults', '-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz')];
  const kernel = ['-append', 'console=ttyS0 panic=-1 cryptomgr.notests=1', '--wall-clock', '1700000000'];

  test.each([
    ['unix', (path: string) => `unix:${path},server=on`],
    ['telnet', () => 'telnet:127.0.0.1:0,server=on'],
  ])('%s: Linux waits for it, is typed at, and the run replays', async (kind, serial) => {
    const [trace, path] = [join(folder, `${kind}.trace`), join(folder, 'console')];
    const run = spawn(process.execPath, [BIN, 'run', ...machine, ...kernel, '-serial', serial(path), '--trace', trace]);
    const [, where = ''] = /A console can come to (.*)\./.exec(await firstLine(run.stderr)) ?? [];
    const socket = kind === 'unix' ? connect(path) : connect(Number(where.split(':').at(-1)), '127.0.0.1');
    const guest = heard(socket);
    await guest.until('/ # ');
    expect(guest.all()).toContain('Linux version');
    socket.write('echo over $((6*7)) a socket\n');
    await guest.until('over 42 a socket');
    socket.write('poweroff -f\n');
    expect(await once(run, 'exit')).toEqual([0, null]);
    const replayed = retrovisor(['replay', trace]);
    expect(replayed.out).toContain('0 divergences');
  });

  test('nobody there to connect to is said in a sentence', () => {
    const { status, err } = retrovisor(['run', '--no-trace', '-serial', `unix:${join(folder, 'nobody')}`]);
    expect([status, err]).toEqual([1, expect.stringMatching(/^retrovisor: Cannot connect to .*no such file\.\n$/)]);
  });
});
