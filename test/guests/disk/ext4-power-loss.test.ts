import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { casesOf, firstOfLongest, LONG } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { MODES } from '../boot/mbr.ts';
import { type Ran, retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';
import { expectFolds, expectReruns } from '../trace-alone.ts';

/** Moments at which the power fails: 1,000 with RETROVISOR_POINTS=1000, in half an hour. */
const POINTS = casesOf('RETROVISOR_POINTS', { whole: 40, quick: 30 });
/** Files a guest makes durable, one after the other. */
const FILES = Math.max(30, Math.ceil(POINTS / 6));
const MIB = 2 ** 20;
const PATIENCE = { timeout: 60 * 60_000 };

const folder = scratchFolder();
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const image = join(folder, 'ext4.raw');

/** Record a guest that writes, restarts, compares and then makes files durable. */
function recorded(name: string, cpus: number, properties: string, cache = 'writeback'): Ran & { trace: string } {
  const trace = join(folder, `${name}.trace`);
  const ran = retrovisor([
    ...['run', ...linuxWith(join(folder, 'initramfs.gz'), `files=${FILES}`), '-smp', `${cpus}`, '--trace', trace],
    ...['-drive', `file=${image},format=raw,if=none,id=d,cache=${cache}`, '--wall-clock', '1700000000'],
    ...['-device', `virtio-blk-pci,drive=d${properties}`],
  ]);
  expect(ran.out).toMatch(/^written\r\n.*Restarting system.*^compared\r\n/ms);
  expect(ran.out.match(/^kept \w{32} {2}kept\/\w+\r$/gm)).toHaveLength(FILES);
  expect(ran.out).not.toMatch(/WARNING:|BUG:|Oops|Call Trace|I\/O error|EXT4-fs error|Buffer I\/O/);
  expect([ran.out.includes('reboot: Power down'), ran.status]).toEqual([true, 0]);
  return { ...ran, trace };
}

/** What its disk comes to at so many moments, from the reboot on. */
function crashed(trace: string, points: number): Ran & { readonly different: number; readonly failed: number } {
  const check = `${script('kept.sh')} {} {console}`;
  const from = ['--at', 'print "compared"'];
  const ran = retrovisor(['disk', trace, 'crash', '--points', `${points}`, '--check', check, ...from], '', 55);
  const [, different, failed] = /: (\d+) differ from the one without loss, (\d+) failed the check/.exec(ran.out) ?? [];
  console.log(ran.out.trim().split('\n').at(-1));
  return { ...ran, different: Number(different), failed: Number(failed) };
}

function expectReplays(trace: string): void {
  const { out, err, status } = retrovisor(['replay', trace]);
  expect(out + err).toContain('0 divergences');
  expect(status).toBe(0);
}

const MACHINES: readonly (readonly [name: string, cpus: number, properties: string])[] = [
  ['modern', 2, MODES['modern']!],
  ['legacy', 1, MODES['legacy']!],
  ['transitional', 2, ''],
  ['legacy', 2, MODES['legacy']!],
  ['modern', 1, MODES['modern']!],
];

const lacks = without(noLinux(), tool('e2fsck'), tool('debugfs'));

describe("an ext4 that Debian's kernel has on virtio-blk", { ...lacks, ...PATIENCE }, () => {
  beforeAll(() => {
    initramfs(join(folder, 'initramfs.gz'), readFileSync(script('fsyncs.sh'), 'utf8'));
    writeFileSync(image, '');
    truncateSync(image, 24 * MIB);
    execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', '-E', 'lazy_itable_init=0', image]);
  });

  test('keeps over a reboot what it synced, and over power loss each file it made durable', async () => {
    const { trace } = recorded('one', 1, '');
    const { different, failed, status, out } = crashed(trace, POINTS);
    expect({ failed, status, out }).toMatchObject({ failed: 0, status: 0 });
    expect(different).toBeGreaterThan(POINTS * 0.3);
    expectReplays(trace);
    expectFolds(trace);
    await expectReruns(trace);
  });

  test('does not where the disk ignores flushes, by the same check', () => {
    const { trace } = recorded('unsafe', 1, '', 'unsafe');
    const { failed, status, out } = crashed(trace, 30);
    expect(failed).toBeGreaterThan(10);
    expect(status).toBe(3);
    expect(out).toMatch(/kept\/\w+: FAILED|e2fsck/);
  });

  test.each(firstOfLongest(2, MACHINES))(
    'does so on a %s device, too, with %i processors',
    LONG,
    (mode, cpus, properties) => {
      const { trace } = recorded(`${mode}-${cpus}`, cpus, properties);
      expect(crashed(trace, 30)).toMatchObject({ failed: 0, status: 0 });
      expectReplays(trace);
      expectFolds(trace);
    },
  );
});
