import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { tickingGuest } from '../../scripts/endings/ticking-guest.ts';
import { retrovisor, scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';

const ENTRY = fileURLToPath(new URL('../../bin/retrovisor.js', import.meta.url));
const folder = scratchFolder();
const kernel = join(folder, 'ticking');
writeFileSync(kernel, tickingGuest());

const GUEST = ['run', '-m', '4', '-nodefaults', '-serial', 'stdio', '-kernel', kernel];
const traceAt = (name: string): string => join(folder, `${name}.trace`);

/** A recorder that prints digits for ever. */
function recorder(name: string, stdout: 'pipe' | number = 'pipe', more: readonly string[] = []): ChildProcess {
  return spawn(process.execPath, [ENTRY, ...GUEST, '--trace', traceAt(name), ...more], {
    stdio: ['ignore', stdout, 'pipe'],
  });
}

/** Once so many digits were printed. */
function printed(child: ChildProcess, count: number): Promise<void> {
  let seen = 0;
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (bytes: Buffer) => {
      seen += bytes.length;
      if (seen >= count) resolve();
    });
    child.on('close', () => reject(new Error(`It ended after ${seen} digits.`)));
  });
}

/** Its status, or the signal that ended it, and what it said. */
function ended(child: ChildProcess): Promise<{ readonly status: number | string | null; readonly said: string }> {
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => void (said += String(bytes)));
  return new Promise((resolve) => child.on('close', (status, signal) => resolve({ status: status ?? signal, said })));
}

const digitsIn = (name: string): string => retrovisor(['replay', '--console', traceAt(name)]).out.split('\n')[0] ?? '';

describe('a recording is whole', LONG, () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ] as const)('that %s ended', async (signal, status) => {
    const child = recorder(signal);
    const end = ended(child);
    await printed(child, 3);
    child.kill(signal);
    expect(await end).toMatchObject({ status, said: expect.stringContaining(`Ended by ${signal}.`) });
    const again = retrovisor(['replay', traceAt(signal)]);
    expect([again.status, again.err]).toEqual([0, '']);
    expect(again.out).toContain('0 divergences');
  });

  test('whose output nobody reads any more', async () => {
    const child = recorder('pipe');
    const end = ended(child);
    await printed(child, 3);
    child.stdout?.destroy();
    expect((await end).status).toBe(141);
    const again = retrovisor(['replay', traceAt('pipe')]);
    expect([again.status, again.err]).toEqual([0, '']);
  });

  test('whose output fills the disk', async () => {
    const full = openSync('/dev/full', 'w');
    const end = await ended(recorder('full', full));
    closeSync(full);
    expect(end.said).toContain('Cannot write to standard output: the disk is full.');
    expect(end.status).toBe(1);
    expect(retrovisor(['replay', traceAt('full')]).status).toBe(0);
  });
});

describe('what a recorder wrote is readable', LONG, () => {
  test('when the disk is full', async () => {
    const most = 16 * 1024;
    const command = [process.execPath, ENTRY, ...GUEST, '--trace', traceAt('disk')];
    const end = await ended(spawn('prlimit', [`--fsize=${most}`, ...command], { stdio: ['ignore', 'ignore', 'pipe'] }));
    expect(end.said).toMatch(/Cannot write the trace .*disk\.trace: it would be larger than files may be here\./);
    expect(end.said).toContain('disk.trace has no end: not all of the');
    expect(end.status).toBe(1);
    const again = retrovisor(['replay', '--accept-cut', traceAt('disk')]);
    expect(again.err).toContain('its recorder did not end');
    expect([again.status, again.out.includes(' 0 divergences')]).toEqual([0, true]);
  });

  test('up to a second before it was killed', async () => {
    const child = recorder('killed');
    const end = ended(child);
    await printed(child, 3);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    child.kill('SIGKILL');
    expect((await end).status).toBe('SIGKILL');
    expect(digitsIn('killed')).toMatch(/^012/);
  });
});
