import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { disk } from '../../../src/cli/disk.ts';
import { tool, without } from '../../stepping-aside.ts';
import { printed, scratchFolder } from '../command-line.ts';
import { diskFiles, DONE, recordDisk } from './guest.ts';

const folder = scratchFolder();
const { image, trace } = diskFiles(folder);
const MIB = 2 ** 20;
/** Where its partition begins. */
const OFFSET = MIB;
const BLOCK = 1024;
const SECTOR = 512;

/** An MBR with one partition. */
function partitioned(): Uint8Array {
  const sector = new Uint8Array(SECTOR);
  sector[446 + 4] = 0x83;
  new DataView(sector.buffer).setUint32(446 + 8, OFFSET / SECTOR, true);
  new DataView(sector.buffer).setUint32(446 + 12, (4 * MIB) / SECTOR, true);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

const debugfs = (...request: readonly string[]): string =>
  execFileSync('debugfs', ['-w', '-R', request.join(' '), `${image}?offset=${OFFSET}`], { encoding: 'utf8' });

describe('the files of an ext4 in a partition', without(tool('debugfs')), () => {
  beforeAll(() => {
    writeFileSync(image, partitioned());
    truncateSync(image, 5 * MIB);
    const source = join(folder, 'source');
    mkdirSync(join(source, 'etc'), { recursive: true });
    for (const name of ['etc/one', 'etc/two']) writeFileSync(join(source, name), name.repeat(1000));
    const shape = ['-q', '-F', '-t', 'ext4', '-b', `${BLOCK}`, '-d', source, '-E', `offset=${OFFSET}`];
    execFileSync('mke2fs', [...shape, image, '4M'], { stdio: 'ignore' });
  });

  test('are named when a guest changed what lies in them', async () => {
    const [, block] = /(\d+)/.exec(debugfs('blocks', '/etc/two')) ?? [];
    const sector = (OFFSET + Number(block) * BLOCK) / SECTOR;
    expect(recordDisk(trace, image, `w${sector}=41 f`).status).toBe(DONE);
    const said = await printed((print) => disk('diff', { path: trace, words: ['start', 'end'], options: {}, print }));
    expect(said).toContain(`1 sector in 1 range differ:\n  sector ${sector}\n`);
    expect(said.split('\n').slice(-3)).toEqual([
      `Files of the ext4 at byte ${OFFSET}, as a mount would find them:`,
      '  ~ /etc/two: content',
      '',
    ]);
  });

  test('are not told of where none differs', async () => {
    expect(await printed((print) => disk('diff', { path: trace, words: ['end', 'end'], options: {}, print }))).toBe(
      'No sector differs.\n',
    );
  });
});
