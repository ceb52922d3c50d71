import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fold, rerun } from '../../../src/cli/replay-commands.ts';
import { printStatistics } from '../../../src/cli/stat-command.ts';
import { answerPrompt } from '../../../src/debugger/prompt/prompt.ts';
import { openDebugSession } from '../../../src/debugger/session.ts';
import { USUAL_PACE } from '../../../src/events/costs.ts';
import { NODE } from '../../../src/host/node.ts';
import { eventClock } from '../../../src/replay/export/report.ts';
import { openRecordedRun, openTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { divergenceOf, recordGuest } from '../../../src/testing/recorded-guest.ts';
import { tool, without } from '../../stepping-aside.ts';
import { printed, retrovisor, scratchFolder } from '../command-line.ts';
import { attend, diskOptions, DONE, faultyOnQemu, makeDisk } from './guest.ts';
import { conversation } from './on-qemu.ts';

const folder = scratchFolder();
const image = makeDisk(join(folder, 'disk.raw'), 64);
const qemu = without(tool('qemu-system-x86_64'));

/** A rule of QEMU's blkdebug: the same as ours. */
interface Rule {
  readonly iotype?: string;
  readonly errno: number;
  readonly sector?: number;
  readonly once?: boolean;
}

interface Case {
  readonly steps: string;
  readonly drive: string;
  readonly rules: readonly Rule[];
  readonly device?: string;
  readonly prints: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'reads of a sector, whichever way they come to it': {
    ...{ drive: 'error=EIO,op=read,sector=8', rules: [{ iotype: 'read', errno: 5, sector: 8 }] },
    ...{ steps: 'r8 r7+3 r9 w8=41 r8', prints: 'r1:00 r1:00.00.00 r0:09 w0 r1:00 \n' },
  },
  'one write': {
    ...{ drive: 'error=5,op=write,sector=8,once=on', rules: [{ iotype: 'write', errno: 5, sector: 8, once: true }] },
    ...{ steps: 'w7+2=41 r8 w8=42 r7+2 f', prints: 'w1 r0:08 w0 r0:07.42 f0 \n' },
  },
  'any request of a sector, but no flush': {
    ...{ drive: 'error=EIO,sector=8', rules: [{ errno: 5, sector: 8 }] },
    ...{ steps: 'r8 w8=41 z8 f w9=42', prints: 'r1:00 w1 z1 f0 w0 \n' },
  },
  'flushes, where the driver is told': {
    ...{ drive: 'error=ENOSPC,op=flush', rules: [{ iotype: 'flush', errno: 28 }], device: 'werror=report' },
    ...{ steps: 'w8=41 f r8', prints: 'w0 f1 r0:41 \n' },
  },
  'discards, and writes of zeroes': {
    drive: 'discard=unmap,error=EIO,op=discard,error=EIO,op=write-zeroes,sector=9',
    rules: [
      { iotype: 'discard', errno: 5 },
      { iotype: 'write-zeroes', errno: 5, sector: 9 },
    ],
    ...{ steps: 'd8+1 z9+1 z10+1 r9+2', prints: 'd1 z1 z0 r0:09.00 \n' },
  },
  'what nobody is told of': {
    drive: 'error=EIO,op=write,sector=8,error=EIO,op=read,sector=9,error=EIO,op=flush',
    rules: [
      { iotype: 'write', errno: 5, sector: 8 },
      { iotype: 'read', errno: 5, sector: 9 },
      { iotype: 'flush', errno: 5 },
    ],
    device: 'werror=ignore,rerror=ignore',
    ...{ steps: 'w8=41 r8 r9 f', prints: 'w0 r0:08 r0:00 f0 \n' },
  },
  'a read for which there is no space': {
    ...{ drive: 'error=ENOSPC,op=read', rules: [{ iotype: 'read', errno: 28 }] },
    ...{ steps: 'r8', prints: 'r1:00 \n' },
  },
};

describe('a drive that is to fail', () => {
  test.each(Object.entries(CASES))('%s: the guest is told, and the run comes out again', async (name, each) => {
    const trace = join(folder, `${Object.keys(CASES).indexOf(name)}.trace`);
    const guest = recordGuest(trace, diskOptions(image, each));
    expect([guest.console, guest.status]).toEqual([each.prints, DONE]);
    expect(divergenceOf(trace, {})).toBeUndefined();
    expect(await printed((print) => fold(trace, print))).toMatch(/events folded, [1-9]\d* digests of \d+ slices equal/);
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
  });

  test.each(Object.entries(CASES))('%s: as on QEMU, whose blkdebug fails the same', qemu, (_name, each) => {
    const copy = join(folder, 'qemu.raw');
    copyFileSync(image, copy);
    expect(faultyOnQemu(copy, each)).toEqual({ console: each.prints, errors: '', status: DONE });
  });

  test('fails from a moment on', () => {
    const trace = join(folder, 'from.trace');
    const steps = 'r8 r8 r8 r8 r8 r8 r8 r8';
    const guest = recordGuest(trace, diskOptions(image, { drive: 'error=EIO,at=1ms', steps }));
    expect(guest.console).toMatch(/^(r0:08 )+(r1:00 )+\n$/);
    const opened = openTimeline(openRecordedRun(NODE, trace, {}));
    const clock = eventClock(USUAL_PACE);
    const done = opened.events.map((stamped) => ({ ...stamped, ns: clock.ns(stamped) }));
    const results = done.flatMap(({ event, ns }) => (event.kind === 'sim:disk_completed' ? [[event.result, ns]] : []));
    expect(results.filter(([result, ns]) => (result === 0) !== ns! < 1_000_000)).toEqual([]);
    opened.close();
  });

  test('says in the chain of causes that the fault is why', async () => {
    const trace = join(folder, '0.trace');
    const opened = openTimeline(openRecordedRun(NODE, trace, {}));
    const session = openDebugSession(opened);
    const completed = opened.events.find(
      ({ event }) => event.kind === 'virtio_blk_req_complete' && event.status === 1,
    )!;
    const bySeq = (seq: number | undefined) => opened.events[seq! - opened.events[0]!.seq];
    const kinds: string[] = [];
    for (let at = bySeq(completed.seq); at !== undefined; at = at.cause === undefined ? undefined : bySeq(at.cause)) {
      kinds.push(at.event.kind);
    }
    expect(kinds.slice(0, 4)).toEqual([
      ...['virtio_blk_req_complete', 'sim:disk_completed', 'sim:disk_faulted', 'sim:disk_submitted'],
    ]);
    session.at('end');
    expect(answerPrompt(session, 'info block')).toContain('    Fault:            EIO of any read at sector 8\n');
    expect(answerPrompt(session, 'info block')).toContain('4 read, 1 write; 3 failed, 0 in flight');
    expect(answerPrompt(session, 'disk list')).toContain('requests: 4 read, 1 write; 3 failed');
    opened.close();
    const counted = await printed((print) => printStatistics(trace, { event: 'disk', as: 'csv' }, print));
    expect(counted).toMatch(/^d,read,4,3,512,/m);
  });
});

describe('a machine whose drive fails under werror=stop', () => {
  const STEPS = 'w8=41&w9=42&w20=43 r8+2 f';
  const each = { drive: 'error=ENOSPC,op=write,sector=8+2,once=on', device: 'werror=stop', steps: STEPS };
  const PRINTS = 'w0 w0 w0 r0:41.42 f0 \n';
  const trace = join(folder, 'stop.trace');

  test('stands, and goes on when somebody lets it: both are on record', async () => {
    const { session, toRest, ask, printed: said } = attend([...diskOptions(image, each), '--trace', trace]);
    expect(toRest()).toEqual({ pause: 'idle', untilNs: undefined });
    expect(ask('info status')).toMatch(/^VM status: paused \(io-error\), tick \d+$/);
    expect(ask('info block')).toContain('    I/O status:       nospace\n');
    const stood = session.figures();
    expect(toRest().pause).toBe('idle');
    expect(session.figures()).toEqual(stood);
    ask('cont');
    const end = toRest();
    expect(end).toMatchObject({ pause: 'ended', end: { status: DONE } });
    expect(ask('info block')).not.toContain('I/O status');
    session.close();
    expect(said()).toBe(PRINTS);
    expect(divergenceOf(trace, {})).toBeUndefined();
    expect(await printed((print) => fold(trace, print))).toMatch(/events folded, [1-9]\d* digests of \d+ slices equal/);
    expect(await printed((print) => rerun(trace, {}, print))).toContain(' 0 divergences');
  });

  test('is the same wherever one goes in it', () => {
    const opened = openTimeline(openRecordedRun(NODE, trace, {}), { every: 2000 });
    const { timeline, verifier, events } = opened;
    const kinds = ['sim:machine_stopped', 'sim:continue_requested', 'sim:disk_error', 'sim:machine_continued'];
    const places = events.filter(({ event }) => kinds.includes(event.kind));
    expect(places.length).toBeGreaterThanOrEqual(4);
    for (const place of [...places, ...places.toReversed(), events.at(-1)!]) {
      for (const more of [0, 1]) {
        timeline.seek({ seq: place.seq + more, tick: place.tick });
        expect(verifier.divergence).toBeUndefined();
      }
    }
    opened.close();
  });

  test('ends a run that nobody attends, which says why', () => {
    const ran = retrovisor(['run', '--quiet', '--no-trace', ...diskOptions(image, each)]);
    expect(ran.status).toBe(4);
    expect(ran.err).toBe(
      'retrovisor: Drive d: a write at sector 8 failed with ENOSPC: the machine has stopped.\n' +
        'retrovisor: The machine stands where drive d failed, and nobody is there to let it go on.\n',
    );
  });

  test('stands as on QEMU, and does the same when it goes on', qemu, async () => {
    const copy = join(folder, 'stop.raw');
    copyFileSync(image, copy);
    const serial = join(folder, 'stop.serial');
    const rules = [{ iotype: 'write', errno: 28, sector: 8, once: true }];
    const options = [...faultyOnQemu.options(copy, { ...each, rules }), '-serial', `file:${serial}`];
    const said = await conversation(options, [
      ...[{ event: 'BLOCK_IO_ERROR' }, { event: 'STOP' }, { line: 'info status' }, { line: 'info block' }],
      ...[{ line: 'cont' }, { event: 'RESUME' }, { printed: serial }],
    ]);
    expect(said.answers[0]).toContain('VM status: paused (io-error)');
    expect(said.answers[1]).toContain('I/O status:       nospace');
    expect(said.printed).toBe(PRINTS);
  });
});
