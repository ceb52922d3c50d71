import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SparseBytes } from '../../../src/memory/sparse.ts';
import { casesOf } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { seekAtRandom } from '../random-seeks.ts';

/** 500 with RETROVISOR_SEEKS=500. */
const SEEKS = casesOf('RETROVISOR_SEEKS', { whole: 30, quick: 30 });
const FILES = 60;
const PATIENCE = { timeout: 60 * 60_000 };
const MIB = 2 ** 20;
const CHUNK = MIB;

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

/** A Linux that writes to an ext4, on two processors. */
function recorded(): string {
  initramfs(file('initramfs.gz'), readFileSync(new URL('fsyncs.sh', import.meta.url), 'utf8'));
  writeFileSync(file('ext4.raw'), '');
  truncateSync(file('ext4.raw'), 24 * MIB);
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', '-E', 'lazy_itable_init=0', file('ext4.raw')]);
  const ran = retrovisor([
    ...['run', ...linuxWith(file('initramfs.gz'), `restart=no files=${FILES}`), '-smp', '2', '--trace', file('trace')],
    ...['-drive', `file=${file('ext4.raw')},format=raw,if=virtio,id=d`, '--wall-clock', '1700000000'],
  ]);
  expect(ran).toMatchObject({ status: 0, out: expect.stringContaining('compared') });
  expect(retrovisor(['index', file('trace')]).status).toBe(0);
  return file('trace');
}

/** All a disk holds, whatever it is made of. */
function sha256(bytes: SparseBytes): string {
  const hash = createHash('sha256');
  const chunk = new Uint8Array(CHUNK);
  for (let at = 0; at < bytes.size; at += CHUNK) {
    bytes.read(at, chunk);
    hash.update(chunk);
  }
  return hash.digest('hex');
}

test('a run with a disk, sought at random by stored checkpoints, goes on to what was there: state, memory and disk', {
  ...without(noLinux(), tool('e2fsck')),
  ...PATIENCE,
}, () => {
  const found = seekAtRandom({
    ...{ trace: recorded(), near: 'sim:disk_written', seeks: SEEKS },
    also: ({ timeline }) => sha256(timeline.machine.vmm.drives!.get('d')!.bytes),
  });
  expect(new Set(found.map(({ also }) => also)).size).toBeGreaterThan(SEEKS / 4);
});
