import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { disk, type DiskOptions } from '../../../src/cli/disk.ts';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { runOptions } from '../../../src/options/run-arguments.ts';
import { divergenceOf } from '../../../src/testing/recorded-guest.ts';
import { firstOfLongest, LONG } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { expectFolds } from '../trace-alone.ts';
import { attend, diskOptions, makeDisk, SECTOR } from './guest.ts';
import { diskInitramfs, linuxOptions, makeExt4, NO_E2FSPROGS, NO_LINUX } from './linux.ts';

const folder = scratchFolder();
const SENTENCE = /^The power was lost at tick \d+, as asked\.$/;

/** A byte of its own in a sector of its own. */
const writeOf = (at: number): string => `w${16 + at}=${(0x60 + at).toString(16)}`;

describe('a run whose power is lost', () => {
  const image = makeDisk(join(folder, 'disk.raw'), 64);
  const own = join(folder, 'own.raw');
  /** What is not durable when it happens: 24 writes, far from the end. */
  const writes = [0, 8, 16].map((first) => Array.from({ length: 8 }, (_, at) => writeOf(first + at)).join('&'));
  const steps = ['w8=41&w9+4=42 f', ...writes, 'r1 '.repeat(400)].join(' ');
  const record = (seed: string, moment: string, more: readonly string[] = []) => {
    copyFileSync(image, own);
    const trace = join(folder, `${seed}-${moment}.trace`);
    const options = [...diskOptions(own, { steps }), '--seed', seed, '--trace', trace, '--power-loss', moment, ...more];
    const run = attend(options);
    const end = run.toRest();
    const ns = run.session.now();
    run.session.close();
    return { trace, end, ns, image: readFileSync(own), said: run.printed() };
  };

  test.each([
    ['5ms', 5_000_000],
    ['5123.5us', 5_123_500],
  ])('at %s ends there', (moment, ns) => {
    const run = record('1', moment);
    expect(run.end).toMatchObject({ pause: 'ended', end: { status: 0, sentence: expect.stringMatching(SENTENCE) } });
    expect(run.ns).toBeGreaterThanOrEqual(ns);
    expect(run.ns).toBeLessThan(ns + 10_000);
    expect(run.image).toEqual(readFileSync(image));
  });

  test('after so many instructions ends there, and comes out again', async () => {
    const { trace, end } = record('1', '40000');
    expect(end).toMatchObject({ end: { sentence: 'The power was lost at tick 40000, as asked.' } });
    expect(divergenceOf(trace, {})).toBeUndefined();
    expect(await printed((print) => fold(trace, print))).toMatch(/events folded, [1-9]\d* digests of \d+ slices equal/);
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
  });

  test('commits what was durable, and by chance some of the rest: what `disk crash` says of that moment', async () => {
    const found: Buffer[] = [];
    for (const seed of ['1', '2', '3', '4']) {
      const { trace, image: bytes, said } = record(seed, '20ms', ['--commit']);
      expect(said).toMatch(/^w0 w0 f0 (w0 ){24}(r0:01 )+$/);
      copyFileSync(image, own);
      const [crashed, committed] = ['crashed.raw', 'committed.raw'].map((name) => join(folder, name));
      const asked = (action: string, options: DiskOptions): Promise<string> =>
        printed((print) => disk(action, { path: trace, words: [], options, print }));
      expect(await asked('crash', { at: 'end', seed, output: crashed! })).toMatch(
        /^Writes that were not durable: 24, of which \d+ kept, \d+ lost, 0 torn\./m,
      );
      expect(readFileSync(crashed!).equals(bytes)).toBe(true);
      expect(await asked('commit', { output: committed! })).toContain('without its power. Writes');
      expect(readFileSync(committed!).equals(bytes)).toBe(true);
      found.push(bytes);
    }
    for (const bytes of found) {
      const first = (sector: number): number => bytes[sector * SECTOR]!;
      expect([8, 9, 10, 11, 12].map(first)).toEqual([0x41, 0x42, 0x42, 0x42, 0x42]);
      for (let at = 0; at < 24; at += 1) expect([16 + at, at + 0x60]).toContain(first(16 + at));
    }
    expect(new Set(found.map((bytes) => bytes.toString('latin1'))).size).toBeGreaterThan(2);
  });

  test.each([
    [['--power-loss', '5'], { powerLossAt: { tick: 5 } }],
    [['--power-loss', '1.5s'], { powerLossAt: { ns: 1.5e9 } }],
    [[], { powerLossAt: undefined }],
  ])('%j is understood', (words, means) => expect(runOptions(words)).toMatchObject(means));

  test.each([
    [['--power-loss', 'soon'], "--power-loss: 'soon' is not a time"],
    [['--power-loss', '-1'], "--power-loss: '-1' is not a whole number"],
    [['--power-loss', '1s', '-s'], 'Give -gdb or --power-loss, not both.'],
  ])('%j is refused', (words, sentence) => expect(() => runOptions(words)).toThrow(sentence));
});

const SCRIPT = [
  'mount -t ext4 /dev/vda /mnt; echo durable > /mnt/a; sync; echo synced',
  // Pages go out at once, and no flush comes but from the journal, every few seconds.
  'cd /proc/sys/vm; for name in dirty_writeback_centisecs dirty_expire_centisecs; do echo 1 > $name; done',
  'while :; do dd if=/dev/urandom of=/mnt/b bs=4k count=40 conv=notrunc 2>/dev/null; echo $((i += 1)) >> /mnt/c; done',
];

describe('Linux that loses its power while it writes', without(NO_LINUX, NO_E2FSPROGS), () => {
  test.each(firstOfLongest(1, ['1', '2']))(
    'finds what it made durable, in a file system that is whole: seed %s',
    LONG,
    (seed) => {
      const image = makeExt4(join(folder, `ext4-${seed}.raw`), 16);
      const before = join(folder, `before-${seed}.raw`);
      copyFileSync(image, before);
      const trace = join(folder, `ext4-${seed}.trace`);
      const options = linuxOptions(diskInitramfs(folder, SCRIPT), image, 'jitter=300us');
      const ran = retrovisor(['run', '--seed', seed, '--trace', trace, '--power-loss', '16s', '--commit', ...options]);
      expect(ran.out).toContain('synced');
      expect(ran.err).toContain('as asked.');
      expect(ran.err).toMatch(/Drive d: Writes that were not durable: [1-9]\d*, of which/);
      spawnSync('e2fsck', ['-y', '-E', 'journal_only', image]);
      expect(spawnSync('e2fsck', ['-fn', image]).status).toBe(0);
      expect(spawnSync('debugfs', ['-R', 'cat /a', image], { encoding: 'utf8' }).stdout).toBe('durable\n');
      copyFileSync(before, image);
      expectFolds(trace);
      expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
    },
  );
});
