import { closeSync, openSync, readFileSync, readSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { finish } from '../../../src/base/work.ts';
import { answerPrompt } from '../../../src/debugger/prompt/prompt.ts';
import { type DebugSession, openDebugSession } from '../../../src/debugger/session.ts';
import { readSymbols } from '../../../src/debugger/symbols/symbols.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { disk, type DiskOptions } from '../../../src/cli/disk.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { NODE } from '../../../src/host/node.ts';
import type { SparseBytes } from '../../../src/memory/sparse.ts';
import { crashAt } from '../../../src/replay/disk/crash.ts';
import { readBytes } from '../../../src/replay/disk/difference.ts';
import { contentAt } from '../../../src/replay/disk/drive-contents.ts';
import { afterEvent, endOf } from '../../../src/replay/places.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { IS_WHOLE } from '../../how-long.ts';
import { answer, printed, scratchFolder } from '../command-line.ts';
import { DISK_PROGRAM, diskFiles, DONE, makeDisk, recordDisk, SECTOR } from './guest.ts';

const folder = scratchFolder();
const { image, trace } = diskFiles(folder);
const SECTORS = 64;
/** Of the writes one in so many is a moment of power loss. */
const EACH = IS_WHOLE ? 1 : 4;
const POINTS = IS_WHOLE ? 200 : 12;
/** Writes at once, over each other, parts of pages, zeroes, a flush, and more that no flush follows. */
const STEPS = 'w8=41&w9+4=42&w20+8=43 w10=44 z11+2 f r8 w8=51 w21+6=52&w40=53 w8=54 c0 w30+8=55 c1 w8=61&w9+7=62 w0=63';

interface Model {
  readonly sectors: Uint8Array;
}

/** What the disk holds after each change, by the events' places and the bytes of the steps alone. */
function modelled(events: readonly Stamped[]): Map<number, Model> {
  const sectors = Uint8Array.from({ length: SECTORS }, (_, at) => at);
  const values = [0x41, 0x42, 0x43, 0x44, 0x51, 0x52, 0x53, 0x54, 0x55, 0x61, 0x62, 0x63];
  const starts = [8, 9, 20, 10, 8, 21, 40, 8, 30, 8, 9, 0];
  const left = starts.map((sector, at) => ({ sector, value: values[at]! }));
  const after = new Map<number, Model>();
  for (const { seq, event } of events) {
    if (event.kind !== 'sim:disk_written' && event.kind !== 'sim:disk_cleared') continue;
    const first = event.offset / SECTOR;
    const step = left.findIndex(({ sector }) => sector === first);
    const value = event.kind === 'sim:disk_cleared' ? 0 : left.splice(step, 1)[0]!.value;
    sectors.fill(value, first, first + event.len / SECTOR);
    after.set(seq, { sectors: sectors.slice() });
  }
  expect(left).toEqual([]);
  return after;
}

const held = (content: SparseBytes): Uint8Array =>
  Uint8Array.from({ length: SECTORS }, (_, sector) => {
    const bytes = readBytes(content, sector * SECTOR, SECTOR);
    expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
    return bytes[0]!;
  });

const isThere = (event: MachineEvent, sector: number): boolean =>
  (event.kind === 'sim:disk_written' || event.kind === 'sim:disk_cleared') &&
  event.offset <= sector * SECTOR &&
  sector * SECTOR < event.offset + event.len;

const bytesOfFile = (path: string): Uint8Array => {
  const file = openSync(path, 'r');
  const bytes = new Uint8Array(SECTORS * SECTOR);
  expect(readSync(file, bytes)).toBe(bytes.length);
  closeSync(file);
  return bytes;
};

describe('the disk of a recorded run', () => {
  let recorded: RecordedTimeline;
  let events: readonly Stamped[];
  let changes: readonly Stamped[];
  let model: Map<number, Model>;

  beforeAll(() => {
    makeDisk(image, SECTORS);
    expect(recordDisk(trace, image, STEPS).status).toBe(DONE);
    recorded = openTimeline(openRecordedRun(NODE, trace, {}));
    events = Array.from(recorded.events);
    changes = events.filter(({ event }) => event.kind === 'sim:disk_written' || event.kind === 'sim:disk_cleared');
    model = modelled(events);
    return () => recorded.close();
  });

  const contentAfter = (stamped: Stamped): SparseBytes =>
    finish(contentAt(recorded.timeline, 'd', afterEvent(stamped)));

  test('is at each write what the writes so far make of it, in whatever order one asks', () => {
    const start = finish(contentAt(recorded.timeline, 'd', 0));
    const asked = [...changes].sort((a, b) => (a.seq % 7) - (b.seq % 7) || b.seq - a.seq);
    for (const each of asked) expect(held(contentAfter(each))).toEqual(model.get(each.seq)!.sectors);
    expect(held(start)).toEqual(Uint8Array.from({ length: SECTORS }, (_, at) => at));
    // Between an event and the bytes of the next.
    for (const each of changes.slice(1)) {
      const before = changes[changes.indexOf(each) - 1]!;
      expect(held(contentAfter(events[each.seq - 1]!))).toEqual(model.get(before.seq)!.sectors);
    }
    expect(recorded.verifier.divergence).toBeUndefined();
  });

  test('is after power loss what was flushed, and else as one of the writes since, or none, left each sector', () => {
    const flushes = events.filter(({ event }) => event.kind === 'sim:disk_flushed');
    const seen = { kept: 0, lost: 0, torn: 0 };
    for (const each of changes.filter((_, at) => at % EACH === EACH - 1)) {
      const flush = flushes.findLast(({ seq }) => seq < each.seq)?.seq ?? -1;
      const durable = changes.findLast(({ seq }) => seq < flush);
      const since = changes.filter(({ seq }) => seq > flush && seq <= each.seq);
      const old =
        durable === undefined ? Uint8Array.from({ length: SECTORS }, (_, at) => at) : model.get(durable.seq)!.sectors;
      for (let seed = 1; seed <= 6; seed += 1) {
        const crash = finish(crashAt(recorded, 'd', afterEvent(each), `${each.seq} ${seed}`));
        expect(held(crash.without)).toEqual(model.get(each.seq)!.sectors);
        expect(crash.kept + crash.lost + crash.torn).toBe(since.length);
        held(crash.content).forEach((value, sector) => {
          const versions = since
            .filter(({ event }) => isThere(event, sector))
            .map(({ seq }) => model.get(seq)!.sectors[sector]);
          expect([old[sector], ...versions]).toContain(value);
        });
        for (const fate of ['kept', 'lost', 'torn'] as const) seen[fate] += crash[fate];
      }
    }
    expect(Math.min(seen.kept, seen.lost, seen.torn)).toBeGreaterThan(2);
  });

  test('after power loss is the same for the same seed, and nothing is lost of what was written through', () => {
    const last = changes.at(-1)!;
    const [one, again] = [0, 1].map(() => held(finish(crashAt(recorded, 'd', afterEvent(last), 'x')).content));
    expect(one).toEqual(again);
    const through = events.findLast(({ event }) => event.kind === 'sim:disk_flushed')!;
    const crash = finish(crashAt(recorded, 'd', afterEvent(through), '1'));
    expect([crash.kept, crash.lost, crash.torn]).toEqual([0, 0, 0]);
    expect(held(crash.content)[30]).toBe(0x55);
  });

  describe('at the prompt', () => {
    let session: DebugSession;
    const ask = (line: string): string => answerPrompt(session, line);

    beforeAll(() => {
      session = openDebugSession(recorded);
      session.symbols = readSymbols('disk.elf', readFileSync(DISK_PROGRAM), 0n);
    });

    test('tells every write of a sector: the instruction, the request, and what made it durable', () => {
      const told = ask('history disk:8');
      expect(told).toMatch(/^d, sector 8: 4 writes\n/);
      expect(told.match(/request: write of virtio-blk-pci#1, queue 0 element \d+, submitted #\d+/g)).toHaveLength(4);
      expect(told.match(/guest: 0x\w+ <disk\+0x\w+> of vcpu0, #\d+ tick \d+/g)).toHaveLength(4);
      const flushes = events.filter(({ event }) => event.kind === 'sim:disk_flushed').map(({ seq }) => seq);
      const durable = [...told.matchAll(/durable: (?:by #(\d+)|(no flush came after it))/g)];
      expect(durable.map(([, seq, none]) => none ?? Number(seq))).toEqual([
        ...[flushes[0], flushes[1], flushes[1]],
        'no flush came after it',
      ]);
      expect(ask('disk history 8')).toBe(told);
      expect(ask('disk history --drive d 8')).toBe(told);
      expect(ask('history disk:11')).toContain('zeroes sectors 11 to 12');
      expect(ask('history disk:50')).toBe('d, sector 50: no write over the run. It holds what the image has.');
    });

    test('tells who wrote last before here', () => {
      const [, second] = changes.filter(({ event }) => 'offset' in event && event.offset === 8 * SECTOR);
      ask(`at #${second!.seq}`);
      expect(ask('why disk:8')).toMatch(new RegExp(`^d, sector 8 was last changed\n  #${second!.seq} tick `));
      ask('at start');
      expect(ask('why disk:8')).toBe('d, sector 8 has not been written since power-on. It holds what the image has.');
    });

    test('compares two moments by their sectors, and stays where it was', () => {
      const [first] = changes;
      ask('at end');
      expect(ask(`disk diff start #${first!.seq}`).split('\n').slice(0, 5)).toEqual([
        '1 sector in 1 range differ:',
        '  sector 8',
        'Sector 8, before and after:',
        `- 00001000  ${'08 '.repeat(8)} ${'08 '.repeat(7)}08  |................|`,
        `+ 00001000  ${'41 '.repeat(8)} ${'41 '.repeat(7)}41  |AAAAAAAAAAAAAAAA|`,
      ]);
      expect(session.now).toEqual(endOf(events));
      expect(ask('disk diff end')).toBe('No sector differs.');
    });

    test('counts what was asked of it up to here', () => {
      ask('at end');
      expect(ask('disk').split('\n').slice(1)).toEqual([
        `  ${SECTORS} sectors, 32 KiB: write cache, serial RV0001`,
        '  requests: 12 write, 1 write-zeroes, 1 flush, 1 read',
        `  512 bytes read, ${40 * SECTOR} written; 3 writes not durable`,
      ]);
      ask('at start');
      expect(ask('disk list')).toContain('requests: none');
    });

    test.each([
      ['disk foo', '`disk foo` is not known: list, history, diff, crash.'],
      ['disk history 64', 'Drive d has sectors 0 to 63: 64 lies beyond.'],
      ['disk history 60+5', 'Drive d has sectors 0 to 63: 60+5 lies beyond.'],
      ['why disk:x', "Say which sector: a number, or SECTOR+COUNT, not 'x'."],
      ['why disk:e:4', 'There is no drive e: did you mean d?'],
      ['disk diff', 'Say which marks: `disk diff MARK [MARK]`.'],
    ])('%s: %s', (line, sentence) => expect(ask(line)).toBe(sentence));
  });

  describe('as an image', () => {
    const exported = join(folder, 'exported.raw');

    test('is written at a mark and at the end', async () => {
      const [, , third] = changes;
      expect((await asked('export', { at: `#${third!.seq}`, output: exported })).status).toBe(0);
      expect(bytesOfFile(exported).filter((_, at) => at % SECTOR === 0)).toEqual(model.get(third!.seq)!.sectors);
      expect((await asked('commit', { output: exported })).status).toBe(0);
      expect(bytesOfFile(exported).filter((_, at) => at % SECTOR === 0)).toEqual(
        model.get(changes.at(-1)!.seq)!.sectors,
      );
    });

    test('does not take the place of what the run needs, or of what is no file', async () => {
      const before = readFileSync(image);
      const link = join(folder, 'link.raw');
      symlinkSync(image, link);
      for (const path of [image, link, trace, folder, '/dev/null', join(folder, 'no/where.raw')]) {
        const { status, err } = await answer(['disk', trace, 'commit', '-o', path]);
        expect([status, err.includes('Cannot write the disk image')]).toEqual([1, true]);
      }
      expect(readFileSync(image)).toEqual(before);
      expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    });

    /** What a command says, and the status it ends with. */
    async function asked(
      action: string,
      options: DiskOptions,
    ): Promise<{ readonly said: string; readonly status: number }> {
      let status = -1;
      const said = await printed(async (print) => {
        status = await disk(action, { path: trace, words: [], options, print });
      });
      return { said, status };
    }

    test('after power loss is judged at many moments, and each can be made again', async () => {
      const sound = await asked('crash', { points: POINTS, check: `test $(stat -c %s {}) = ${SECTORS * SECTOR}` });
      expect(sound.status).toBe(0);
      const different = new RegExp(
        `${POINTS} of ${POINTS} images: (\\d+) differ from the one without loss, 0 failed`,
      ).exec(sound.said)?.[1];
      expect(Number(different)).toBeGreaterThan(POINTS / 3);
      // A check that damages what it is shown spoils no other image.
      const kept = join(folder, 'kept.raw');
      const check = `cp {} ${kept}; printf spoilt | dd of={} conv=notrunc 2>/dev/null; false`;
      const failed = await asked('crash', { points: 4, seed: 'y', check });
      expect(failed.status).toBe(3);
      expect(failed.said).toContain('4 failed the check');
      const [, at, seed] = [...failed.said.matchAll(/crash --at '(#\d+)' --seed (\S+) -o IMAGE/g)].at(-1) ?? [];
      await asked('crash', { at: at ?? '', seed: seed ?? '', output: exported });
      expect(bytesOfFile(exported)).toEqual(bytesOfFile(kept));
    });
  });

  test('a check has what the guest had printed by then', async () => {
    const heard = join(folder, 'heard');
    const check = `test -f {} && cat {console} >> ${heard} && echo >> ${heard}`;
    const { status, err } = await answer(['disk', trace, 'crash', '--points', '6', '--check', check]);
    expect([status, err]).toEqual([0, '']);
    const texts = readFileSync(heard, 'latin1').split('\n').slice(0, -1);
    const all = events.flatMap(({ event }) => (event.kind === 'sim:serial_sent' ? [event.byte] : []));
    for (const text of texts) expect(String.fromCharCode(...all).startsWith(text)).toBe(true);
    const lengths = texts.map(({ length }) => length);
    expect(lengths).toHaveLength(6);
    expect(lengths).toEqual([...lengths].sort((one, other) => one - other));
    expect(new Set(lengths).size).toBeGreaterThan(2);
  });

  test.each([
    [['crash'], 2, 'crash takes --at MARK or --points N.'],
    [['crash', '--points', '3'], 2, 'needs --check COMMAND'],
    [['crash', '--points', '3', '--check', 'true {}', '--at', 'nowhere'], 1, 'neither a place nor a kind of event'],
    [['crash', '--points', '3', '--check', 'true'], 1, "has no {} where the image's name goes"],
    [['list', '--seed', '1'], 2, '`disk list` takes no --seed.'],
    [['diff', 'start'], 2, 'Say which marks'],
    [['nothing'], 2, '`disk nothing` is not known'],
    [['history', '8', '--drive', 'e'], 1, 'There is no drive e'],
    [['history', '64'], 1, 'sectors 0 to 63'],
    [['export', '--at', 'end'], 2, 'Say where to: -o IMAGE.'],
    [['export', '--at', '#99999999', '-o', join(folder, 'x')], 1, 'There is no event 99999999'],
  ])('disk %j is refused', async (words, status, sentence) => {
    const said = await answer(['disk', trace, ...words]);
    expect([said.status, said.err]).toEqual([status, expect.stringContaining(sentence)]);
  });
});
