import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { disk, type DiskOptions } from '../../../src/cli/disk.ts';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { NODE } from '../../../src/host/node.ts';
import { openRecordedRun, openTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { divergenceOf } from '../../../src/testing/recorded-guest.ts';
import { LONG } from '../../how-long.ts';
import { without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { expectFolds } from '../trace-alone.ts';
import { attend, diskOptions, DONE, makeDisk, SECTOR } from './guest.ts';
import { diskInitramfs, linuxOptions, makeExt4, NO_E2FSPROGS, NO_LINUX } from './linux.ts';

const folder = scratchFolder();
const SECTORS = 64;

describe('a drive that is given another size', () => {
  const image = makeDisk(join(folder, 'disk.raw'), SECTORS);
  const trace = join(folder, 'disk.trace');
  const committed = join(folder, 'committed.raw');
  // It stands at sectors 50 and 51, and asks again.
  const drive = 'rerror=stop,error=EIO,sector=50,once=on,error=EIO,sector=51,once=on';
  const steps = 'r63 r64 w60+4=41 f r50 w100=42 r100 r96 r64 w127=43 f r51 r127 r100 r62 r31';

  test('has it at once, and what was cut off is gone for good', async () => {
    copyFileSync(image, committed);
    const options = [...diskOptions(committed, { steps, drive }), '--commit', '--checkpoints', '--trace', trace];
    const run = attend(options);
    expect(run.toRest().pause).toBe('idle');
    expect(run.ask('block_resize d 64k')).toBe('');
    run.ask('cont');
    expect(run.toRest().pause).toBe('idle');
    expect(run.ask('info block')).toMatch(/^d: 128 sectors /);
    run.ask('block_resize d 16896b');
    run.ask('block_resize d 64k');
    run.ask('cont');
    expect(run.toRest()).toMatchObject({ pause: 'ended', end: { status: DONE } });
    expect(run.printed()).toBe('r0:3f r1:00 w0 f0 r0:32 w0 r0:42 r0:00 r0:00 w0 f0 r0:00 r0:00 r0:00 r0:00 r0:1f \n');
    run.session.close();
    expect(statSync(committed).size).toBe(128 * SECTOR);
    const bytes = readFileSync(committed);
    expect(bytes.subarray(0, 33 * SECTOR)).toEqual(readFileSync(image).subarray(0, 33 * SECTOR));
    expect(bytes.subarray(33 * SECTOR).every((byte) => byte === 0)).toBe(true);
  });

  test('comes out again, with and without the processor, from wherever one begins', async () => {
    copyFileSync(image, committed);
    expect(divergenceOf(trace, {})).toBeUndefined();
    expect(await printed((print) => fold(trace, print))).toMatch(/events folded, [1-9]\d* digests of \d+ slices equal/);
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
    const opened = openTimeline(openRecordedRun(NODE, trace, {}), { every: 2000 });
    const places = opened.events.filter(({ event }) => /^sim:(disk|drive)_/.test(event.kind));
    for (const { seq, tick } of [...places.toReversed(), ...places, opened.events.at(-1)!]) {
      opened.timeline.seek({ seq, tick });
      expect(opened.verifier.divergence).toBeUndefined();
    }
    opened.close();
  });

  test('is exported, compared and crashed with the size it had', async () => {
    const asked = (action: string, words: string[], options: DiskOptions): Promise<string> =>
      printed((print) => disk(action, { path: trace, words, options, print }));
    const output = join(folder, 'out.raw');
    const size = async (action: string, options: DiskOptions): Promise<number> => {
      await asked(action, [], { ...options, output });
      return statSync(output).size;
    };
    expect(await size('export', { at: '#0' })).toBe(SECTORS * SECTOR);
    expect(await size('commit', {})).toBe(128 * SECTOR);
    const whole = readFileSync(output);
    expect(await size('crash', { at: 'end' })).toBe(128 * SECTOR);
    // Nothing was in its cache.
    expect(readFileSync(output).equals(whole)).toBe(true);
    expect(await asked('diff', ['start', 'end'], {})).toMatch(/sectors 33 to 63/);
  });

  test.each([
    ['block_resize x 1', "Error: Cannot find device='x' nor node-name=''"],
    ['block_resize d 1000b', 'Error: The new size must be a multiple of 512'],
    ['block_resize d 1x', "'1x' is no size up to 2 TiB, like 64M or 2G."],
    ['block_resize d 0', "'0' is no size up to 2 TiB, like 64M or 2G."],
    ['block_resize d 3T', "'3T' is no size up to 2 TiB, like 64M or 2G."],
    ['block_resize d', 'block_resize DRIVE SIZE: say which drive, and its size.'],
  ])('%s: %s', (line, sentence) => {
    const run = attend([...diskOptions(image, { steps: 'r1' }), '--no-trace']);
    expect(run.ask(line)).toBe(sentence);
    expect(run.session.hasInputs).toBe(false);
    run.session.close();
  });

  test('stays what it is while it is read-only', () => {
    const run = attend([...diskOptions(image, { steps: 'r1', drive: 'readonly=on' }), '--no-trace']);
    expect(run.ask('block_resize d 1')).toBe('Error: Image is read-only');
    run.session.send({ kind: 'sim:drive_size_set', drive: 'd', sectors: 8 });
    expect(() => run.toRest()).toThrow('The drive d is read-only: its size stays what it is.');
    run.session.close();
  });
});

const SCRIPT = [
  'mount -t ext4 /dev/vda /mnt; echo before > /mnt/a; sync; cat /sys/block/vda/size; echo ready',
  'while [ $(cat /sys/block/vda/size) = 32768 ]; do sleep 1; done',
  'cat /sys/block/vda/size; echo grown | dd of=/dev/vda bs=512 seek=65535 conv=notrunc 2>/dev/null',
  'echo after > /mnt/b; cat /mnt/a /mnt/b; umount /mnt; grep virtio0-config /proc/interrupts',
];

describe('Linux whose disk grows', without(NO_LINUX, NO_E2FSPROGS), () => {
  test('prints its new capacity, and uses it', LONG, () => {
    const image = makeExt4(join(folder, 'ext4.raw'), 16);
    const trace = join(folder, 'ext4.trace');
    const options = linuxOptions(diskInitramfs(folder, SCRIPT), image).map((word) => word.replace('quiet ', ''));
    const run = attend([...options, '--commit', '--trace', trace]);
    const before = join(folder, 'before.raw');
    copyFileSync(image, before);
    run.toRest('ready');
    run.ask('block_resize d 32');
    expect(run.toRest()).toMatchObject({ pause: 'ended', end: { status: 0 } });
    run.session.close();
    expect(run.printed()).toMatch(
      /virtio_blk virtio0: \[vda\] new size: 65536 512-byte logical blocks \(33\.6 MB\/32\.0 MiB\)/,
    );
    expect(run.printed()).toMatch(/32768\r\nready[\s\S]*65536\r\n[\s\S]*before\r\nafter\r\n/);
    expect(run.printed()).toMatch(/ 1 +PCI-MSI \d+-edge +virtio0-config/);
    expect(statSync(image).size).toBe(32 * 2 ** 20);
    expect(readFileSync(image).subarray(-SECTOR).toString('latin1', 0, 6)).toBe('grown\n');
    expect(spawnSync('e2fsck', ['-fn', image]).status).toBe(0);
    copyFileSync(before, image);
    expectFolds(trace);
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
  });
});
