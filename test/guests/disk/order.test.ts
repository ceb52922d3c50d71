import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { openRecordedRun, openTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { NODE } from '../../../src/host/node.ts';
import { askEvents, divergenceOf, recordGuest } from '../../../src/testing/recorded-guest.ts';
import { firstOfLongest, LONG } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { expectFolds } from '../trace-alone.ts';
import { diskOptions, DONE, makeDisk } from './guest.ts';
import { diskInitramfs, linuxOptions, makeExt4, NO_E2FSPROGS, NO_LINUX } from './linux.ts';

const folder = scratchFolder();

/** Numbers of requests in the order in which they complete, and how long each took. */
function completions(events: readonly Stamped[]): { readonly order: number[]; readonly delays: number[] } {
  const order: number[] = [];
  const delays: number[] = [];
  for (const { event } of events) {
    if (event.kind === 'sim:disk_completed') order.push(event.tag);
    if (event.kind === 'sim:disk_delayed') delays.push(event.ns);
  }
  return { order, delays };
}

/** How many requests completed before one that was submitted before them. */
function overtakes({ order }: { readonly order: readonly number[] }): number {
  let most = -1;
  return order.filter((tag) => {
    const isBehind = tag < most;
    most = Math.max(most, tag);
    return isBehind;
  }).length;
}

describe('a drive with jitter', () => {
  const image = makeDisk(join(folder, 'disk.raw'), 64);
  const steps = 'w8=41&w20+8=42&w40=43&w41=44&w50=45&r2&f r8 r20+8 w8=51&w8=52&w8=53 r8';
  const record = (seed: string, drive: string) => {
    const trace = join(folder, `${seed}.trace`);
    const guest = recordGuest(trace, [...diskOptions(image, { drive, steps }), '--seed', seed]);
    expect(guest.status).toBe(DONE);
    return { ...guest, ...askEvents(trace, {}, completions) };
  };

  test('takes longer by chance: requests overtake each other, and each seed has its own order', () => {
    const seeds = ['1', '2', '3', '4'].map((seed) => record(seed, 'jitter=200us'));
    expect(seeds.every(({ delays }) => delays.every((ns) => ns >= 0 && ns <= 200_000))).toBe(true);
    expect(new Set(seeds.map(({ order }) => order.join())).size).toBeGreaterThan(2);
    expect(seeds.filter((each) => overtakes(each) > 0).length).toBeGreaterThan(2);
    expect(record('2', 'jitter=200us')).toEqual(seeds[1]);
    // What was written last is there; of what was asked at once, one of them.
    for (const { console } of seeds) {
      expect(console).toMatch(/^(w0 ){5}r0:02 f0 r0:41 r0:42(\.42){7} (w0 ){3}r0:5[123] \n$/);
    }
  });

  test('whose run comes out again, with and without the processor, from wherever one begins', async () => {
    const { trace } = record('3', 'jitter=200us');
    expect(divergenceOf(trace, {})).toBeUndefined();
    expect(await printed((print) => fold(trace, print))).toMatch(/events folded, [1-9]\d* digests of \d+ slices equal/);
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
    const opened = openTimeline(openRecordedRun(NODE, trace, {}), { every: 2000 });
    const places = opened.events.filter(({ event }) => event.kind === 'sim:disk_completed');
    for (const { seq, tick } of [...places.toReversed(), ...places, opened.events.at(-1)!]) {
      opened.timeline.seek({ seq, tick });
      expect(opened.verifier.divergence).toBeUndefined();
    }
    opened.close();
  });

  test('without jitter draws nothing', () => {
    const { order, delays } = record('5', '');
    expect(delays).toEqual([]);
    expect(order.slice(0, 7)).toEqual([0, 2, 3, 4, 5, 1, 6]);
  });
});

const SCRIPT = [
  'mount -t ext4 /dev/vda /mnt',
  'sum() { md5sum /mnt/$1 > /mnt/$1.sum; }',
  'write() { dd if=/dev/urandom of=/mnt/$1 bs=16k count=12 2>/dev/null; sync /mnt/$1; sum $1; sync; }',
  'for i in 1 2 3 4 5 6; do write f$i & done; wait',
  'umount /mnt; echo 3 > /proc/sys/vm/drop_caches; mount -t ext4 /dev/vda /mnt',
  'cat /mnt/*.sum | md5sum -c; umount /mnt',
];

describe('Linux on an ext4 whose disk has jitter', without(NO_LINUX, NO_E2FSPROGS), () => {
  test.each(firstOfLongest(1, ['1', '2', '3']))('seed %s', LONG, (seed) => {
    const image = makeExt4(join(folder, `ext4-${seed}.raw`), 16);
    const trace = join(folder, `ext4-${seed}.trace`);
    const options = linuxOptions(diskInitramfs(folder, SCRIPT), image, 'jitter=800us');
    const ran = retrovisor(['run', '--quiet', '--seed', seed, '--trace', trace, ...options]);
    expect(ran.out).not.toMatch(/insmod:|mount:/);
    expect(ran.out.match(/\/mnt\/f\d: OK/g)).toHaveLength(6);
    expect(ran.out).not.toMatch(/FAILED|I\/O error|EXT4-fs error|EXT4-fs warning/);
    expect(ran.status).toBe(0);
    const told = askEvents(trace, {}, completions);
    expect(overtakes(told)).toBeGreaterThan(2);
    const whole = join(folder, `whole-${seed}.raw`);
    expect(retrovisor(['disk', trace, 'commit', '-o', whole]).status).toBe(0);
    expect(spawnSync('e2fsck', ['-fn', whole], { encoding: 'utf8' }).status).toBe(0);
    const check = 'e2fsck -y -E journal_only {}; e2fsck -fn {}';
    const crashed = retrovisor(['disk', trace, 'crash', '--points', '30', '--check', check]);
    expect(crashed.out).toMatch(/ 0 failed/);
    expectFolds(trace);
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
  });
});
