import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { record, replay } from '../../../src/api/index.ts';
import { openingLine } from '../../../src/cli/run-lines.ts';
import { runOptions } from '../../../src/options/run-arguments.ts';
import { scratchFolder } from '../../guests/command-line.ts';
import { LONG } from '../../how-long.ts';
import { ask, AT, blockGuest, installBlockPorts, print, store, WAIT } from './block-ports.ts';

const folder = scratchFolder();
const IMAGE = join(folder, 'disk.raw');
const SIZE = 1_000_000;

let remove: () => void;
beforeAll(() => void (remove = installBlockPorts()));
afterAll(() => remove());

/** A guest that prints what it finds in a sector, and puts a letter there. */
const guest = (letter: number): Uint8Array =>
  blockGuest([
    ...[...ask('read', 1953, 1, AT.to), ...WAIT, ...print(AT.to)],
    ...[...store(AT.from, letter), ...ask('write', 1953, 1), ...ask('write-zeroes', 8, 8), ...WAIT],
  ]);

async function ran(letter: number, commit: boolean, trace = join(folder, `${letter}.trace`)): Promise<string> {
  const kernel = join(folder, `${letter}.bin`);
  writeFileSync(kernel, guest(letter));
  const devices = ['isa-debug-exit,iobase=0xf4,iosize=4', 'pc-testdev,drive=d0'];
  const drives = [`file=${IMAGE},if=none,id=d0`];
  return (await record({ kernel, devices, drives, commit, memory: 4, wallClock: 1, trace })).console;
}

test('what a guest writes is in its image after the run if that is asked for, and else is not', LONG, async () => {
  writeFileSync(IMAGE, Buffer.alloc(SIZE, 'B'));
  expect(await ran(0x43, false)).toBe('B');
  expect(readFileSync(IMAGE)).toEqual(Buffer.alloc(SIZE, 'B'));
  expect(await ran(0x44, true)).toBe('B');
  // The last sector is whole now, as when QEMU writes to it.
  const after = Buffer.alloc(1954 * 512, 'B')
    .fill(0, 4096, 8192)
    .fill(0, SIZE);
  after.set([0x44, 0, 0, 0], 1953 * 512);
  after.fill(0, 1953 * 512 + 4);
  expect(readFileSync(IMAGE).equals(after)).toBe(true);
  expect(await ran(0x45, false)).toBe('D');
  await expect(replay(join(folder, '68.trace'))).rejects.toThrow(
    /is not what d0 was recorded with: it has 1000448 bytes/,
  );
  writeFileSync(IMAGE, Buffer.alloc(SIZE, 'B'));
  expect(await replay(join(folder, '68.trace'))).toMatchObject({ divergence: undefined });
});

test('a run says at its start what becomes of what is written', () => {
  const seat = { interactive: false, monitor: false };
  const line = (...more: readonly string[]): string =>
    openingLine(runOptions(['-drive', 'file=a/disk.raw,if=none', ...more]), seat);
  expect(line()).toContain(
    'What the guest writes to its disks stays in the run, disk.raw as it is (--commit writes it',
  );
  expect(line('--commit')).toContain('What the guest writes to its disks goes into disk.raw at the end (--commit).');
  expect(openingLine(runOptions(['-drive', 'file=a,if=none,readonly=on']), seat)).not.toContain('disks');
});
