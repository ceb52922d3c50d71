import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openDiskFile } from '../../src/host/disk-files.ts';
import { commitInto } from '../../src/host/image-commit.ts';
import { NODE } from '../../src/host/node.ts';
import { drivesAsked } from '../../src/options/drive-options.ts';
import { openDisks } from '../../src/runs/machine/disks.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { PLAIN_LANGUAGE, tool, without } from '../stepping-aside.ts';

const folder = scratchFolder();
const at = (name: string): string => join(folder, name);
const BLOCK = 2 ** 16;

function file(name: string, bytes: Uint8Array | string): string {
  writeFileSync(at(name), bytes);
  return at(name);
}

const open = (...paths: readonly string[]) =>
  openDisks(NODE, drivesAsked(paths.map((path) => `file=${path},if=none`)).drives);

const bytesAt = (path: string, place: number, length: number): number[] => {
  const into = new Uint8Array(length);
  open(path).bases.get('none0')!.read(place, into);
  return [...into];
};

describe('the image of a disk', () => {
  test('is read by the blocks that are asked for, whatever its size', () => {
    const path = file('sparse.raw', 'B');
    truncateSync(path, 20 * 2 ** 30);
    const { bases, blocks, drives } = open(path);
    expect(drives[0]).toMatchObject({ sectors: 20 * 2 ** 21, bytes: 20 * 2 ** 30, format: 'raw', name: 'sparse.raw' });
    const into = new Uint8Array(4).fill(7);
    bases.get('none0')!.read(19 * 2 ** 30 - 2, into);
    expect([...into]).toEqual([0, 0, 0, 0]);
    const end = (19 * 2 ** 30) / BLOCK;
    // What it is an image of is seen by its first block.
    expect(blocks.list.map(({ block }) => block)).toEqual([0, end - 1, end]);
  });

  test('of an odd size has zeroes at the end of its last sector, as for QEMU, and that is said', () => {
    const path = file('odd.raw', Buffer.alloc(1000, 'B'));
    const { drives, warnings } = open(path);
    expect(drives[0]).toMatchObject({ sectors: 2, bytes: 1000 });
    expect(warnings).toEqual([
      `${path} has 1000 bytes: the guest sees 2 sectors of 512, zeroes at the end of the last.`,
    ]);
    expect(bytesAt(path, 998, 4)).toEqual([0x42, 0x42, 0, 0]);
  });

  test('that is none is refused with a sentence', () => {
    mkdirSync(at('dir'));
    expect(() => open(at('none'))).toThrow(`Cannot read the disk image ${at('none')}: there is no such file.`);
    expect(() => open(at('dir'))).toThrow(`Cannot read the disk image ${at('dir')}: it is a folder.`);
    expect(() => open(file('empty', ''))).toThrow(`Cannot use ${at('empty')} as a disk: it is empty.`);
    expect(() => open(file('x.qcow2', Buffer.from('QFI\xfb\0\0\0\x03', 'latin1')))).toThrow(
      /qcow2, which is not supported.*say format=raw\.$/,
    );
    const huge = file('huge.raw', 'x');
    truncateSync(huge, 2 ** 41 + 512);
    expect(() => open(huge)).toThrow('it is larger than 2 TiB');
  });

  test('that is a pipe is refused, and not waited for', without(tool('mkfifo')), () => {
    spawnSync('mkfifo', [at('pipe')]);
    expect(() => open(at('pipe'))).toThrow(`Cannot read the disk image ${at('pipe')}: it is no regular file.`);
  });

  test('is one drive’s, by whatever name', () => {
    const path = file('one.raw', 'B');
    linkSync(path, at('two.raw'));
    symlinkSync(path, at('three.raw'));
    for (const other of [path, at('two.raw'), at('three.raw')]) {
      expect(() => open(path, other)).toThrow(
        `${other} is the image of two drives, none0 and none1: make a copy of it.`,
      );
    }
  });

  test('that somebody changes while it is read is no image any more', () => {
    const path = file('moving.raw', Buffer.alloc(2 * BLOCK, 'B'));
    const image = openDiskFile(path);
    expect(image.block(0)).toHaveLength(BLOCK);
    utimesSync(path, 1, 1);
    expect(image.block(0)).toHaveLength(BLOCK);
    expect(() => image.block(1)).toThrow(`${path} was changed while a machine had it`);
  });
});

describe('what is written back', () => {
  const change = (place: number, text: string) => ({ at: place, bytes: new TextEncoder().encode(text) });

  test('is in the image, and nothing lies beside it', () => {
    const path = file('commit.raw', 'abcdefgh');
    commitInto(path, [change(1, 'XY'), change(6, 'longer')]);
    expect(readFileSync(path, 'utf8')).toBe('aXYdeflonger');
    expect(existsSync(`${path}.rollback`) || existsSync(`${path}.lock`)).toBe(false);
  });

  test('is nothing, where it is not all', () => {
    const path = file('half.raw', 'abcdefgh');
    const all = [change(1, 'XY'), change(6, 'longer'), change(2 ** 62, 'far')];
    expect(() => commitInto(path, all)).toThrow(/^Cannot write back into .*half\.raw: .*\. It is as it was\.$/);
    expect(readFileSync(path, 'utf8')).toBe('abcdefgh');
    expect(existsSync(`${path}.rollback`)).toBe(false);
    expect(() => commitInto(at('nowhere.raw'), all)).toThrow('there is no such file');
  });

  test('is undone by who opens the image next, if its writer was killed', LONG, () => {
    const path = file('killed.raw', 'abcdefgh');
    const source = fileURLToPath(new URL('../../src/host/image-commit.ts', import.meta.url));
    const program = file(
      'killed.ts',
      `import { commitInto } from ${JSON.stringify(source)};
      let looks = 0;
      const look = () => { if (++looks === 2) process.kill(process.pid, 'SIGKILL'); return new Uint8Array(1); };
      const last = { at: 0, get bytes() { return look(); } };
      commitInto(${JSON.stringify(path)}, [{ at: 6, bytes: new TextEncoder().encode('longer') }, last]);`,
    );
    const ran = spawnSync(process.execPath, ['--import', 'tsx', program], { env: PLAIN_LANGUAGE, encoding: 'utf8' });
    expect([ran.stderr, ran.signal]).toEqual(['', 'SIGKILL']);
    expect(readFileSync(path, 'utf8')).toBe('abcdeflonger');
    expect(NODE.images.openDisk(path).size).toBe(8);
    expect(readFileSync(path, 'utf8')).toBe('abcdefgh');
    expect(existsSync(`${path}.rollback`)).toBe(false);
  });
});
