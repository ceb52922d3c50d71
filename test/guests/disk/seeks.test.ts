import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../../../src/base/digest.ts';
import { NODE } from '../../../src/host/node.ts';
import type { SparseBytes } from '../../../src/memory/sparse.ts';
import { CHANCE } from '../../../src/replay/sources/random.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { casesOf } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { retrovisor, scratchFolder } from '../command-line.ts';
import { initramfs, linuxWith, noLinux } from '../linux/initramfs.ts';

/** 500 with RETROVISOR_SEEKS=500. */
const SEEKS = casesOf('RETROVISOR_SEEKS', { whole: 60, quick: 30 });
const FILES = 60;
const PATIENCE = { timeout: 60 * 60_000 };
const MIB = 2 ** 20;
const CHUNK = MIB;
/** Ticks: less than between most requests. */
const SOON = 4000;

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

const opened = (trace: string, problems?: string[]): RecordedTimeline =>
  openTimeline(
    openRecordedRun(NODE, trace, {}),
    problems === undefined ? {} : { onStoredProblem: (sentence) => void problems.push(sentence) },
  );

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

/** The machine where it stands: its state, its memory and disk as it sums them up, and what the disk holds. */
interface Found {
  readonly seq: number;
  readonly tick: number;
  readonly state: string;
  readonly pages: string;
  readonly disk: string;
}

const foundBy = ({ timeline: { machine } }: RecordedTimeline): Found => ({
  seq: machine.seq,
  tick: machine.ticks,
  state: digestOf(machine.state),
  pages: machine.pages.digest(),
  disk: sha256(machine.vmm.drives!.get('d')!.bytes),
});

const number = (stream: string, at: number): number => CHANCE.int32('seeks', stream, at) >>> 0;

/** Ticks in order: of every two one is anywhere in the run, and one soon behind a write to the disk. */
function drawTicks({ events, timeline }: RecordedTimeline): number[] {
  const writes = events.filter(({ event }) => event.kind === 'sim:disk_written');
  const ticks = Array.from({ length: SEEKS + 1 }, (_, at) => {
    const drawn = number('ticks', at);
    if (at % 2 === 0) return drawn % timeline.end.tick;
    return writes[drawn % writes.length]!.tick + (number('behind', at) % SOON);
  });
  return ticks.sort((one, other) => one - other);
}

/** What is found at each of these ticks by who goes through the run from its beginning to its end. */
function wayThrough(trace: string, ticks: readonly number[]): Found[] {
  const run = opened(trace);
  const found = ticks.map((tick) => {
    run.timeline.advance({ tick });
    return foundBy(run);
  });
  expect(run.verifier.divergence).toBeUndefined();
  run.close();
  return found;
}

test('a run with a disk, sought at random by stored checkpoints, goes on to what was there: state, memory and disk', {
  ...without(noLinux(), tool('e2fsck')),
  ...PATIENCE,
}, () => {
  const trace = recorded();
  const problems: string[] = [];
  const again = opened(trace, problems);
  const ticks = drawTicks(again);
  const found = wayThrough(trace, ticks);
  expect(new Set(found.map(({ disk }) => disk)).size).toBeGreaterThan(SEEKS / 4);
  for (let seek = 0; seek < SEEKS; seek += 1) {
    const at = number('order', seek) % SEEKS;
    again.timeline.seek(ticks[at]!);
    expect(foundBy(again)).toEqual(found[at]);
    again.timeline.advance({ tick: ticks[at + 1]! });
    expect(foundBy(again)).toEqual(found[at + 1]);
  }
  expect([again.verifier.divergence, problems]).toEqual([undefined, []]);
  again.close();
});
