import { type ChildProcessByStdio, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { ROOT } from '../house/sources.ts';
import { noPseudoTerminals, without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const BIN = join(ROOT, 'bin/retrovisor.js');
const MINUTES = 5 * 60_000;

/** Somebody who reads a terminal, as `cat </dev/pts/3` does: there from now on, until told to go or hung up on. */
function reader(path: string) {
  const terminal = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  const stdio: StdioOptions = [terminal, 'pipe', 'ignore'];
  const cat = spawn('cat', { stdio }) as ChildProcessByStdio<null, Readable, null>;
  closeSync(terminal);
  const gone = once(cat, 'close');
  let said = '';
  cat.stdout.on('data', (bytes) => {
    said += bytes.toString('latin1');
  });
  return {
    all: () => said,
    gone,
    async until(text: string): Promise<void> {
      while (!said.includes(text)) await once(cat.stdout, 'data');
    },
    async leave(): Promise<void> {
      cat.kill();
      await gone;
    },
  };
}

describe('a console on a pseudo terminal', without(noGuests('vmlinuz', 'initramfs.gz'), noPseudoTerminals()), () => {
  const folder = scratchFolder();
  const machine = ['-m', '256', '-nodefaults', '-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz')];
  const kernel = ['-append', 'console=ttyS0 panic=-1', '--wall-clock', '1700000000'];

  test('Linux is typed at, left alone and come back to, and the run replays', { timeout: MINUTES }, async () => {
    const [trace, told] = [join(folder, 'pty.trace'), join(folder, 'second-line')];
    const lines = ['-chardev', 'pty,id=console', '-serial', 'chardev:console', '-serial', `file:${told}`];
    const run = spawn(process.execPath, [BIN, 'run', ...machine, ...kernel, ...lines, '--trace', trace]);
    const said = String((await once(run.stdout, 'data'))[0]);
    const [, path = ''] = /^char device redirected to (\/dev\/pts\/\d+) \(label console\)\n$/.exec(said) ?? [];
    const first = reader(path);
    await first.until('/ # ');
    expect(first.all()).toContain('Linux version');
    writeFileSync(path, 'echo over $((6*7)) a terminal\n');
    await first.until('over 42 a terminal');
    await first.leave();

    writeFileSync(path, 'echo to $((6*8)) nobody; mknod /dev/line c 4 65; echo so it is >/dev/line\n');
    await vi.waitFor(() => expect(readFileSync(told, 'latin1')).toContain('so it is'), MINUTES);
    const second = reader(path);
    writeFileSync(path, 'echo and $((6*9)) back\n');
    await second.until('and 54 back');
    expect(second.all()).not.toContain('to 48 nobody');
    writeFileSync(path, 'poweroff -f\n');
    expect(await once(run, 'exit')).toEqual([0, null]);
    // The terminal is gone with the run.
    await second.gone;

    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
    expect(retrovisor(['console', trace]).out).toContain('to 48 nobody');
  });
});
