import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { finish } from '../../src/base/work.ts';
import { indexTrace } from '../../src/runs/recorded/index-trace.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { NODE } from '../../src/host/node.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { programDigest } from '../../src/host/program.ts';
import { checkpointPath, strideAt } from '../../src/runs/recorded/stored-checkpoints.ts';
import { type Checkpoint, takeCheckpoint } from '../../src/machine/checkpoint.ts';
import { digestOf } from '../../src/base/digest.ts';
import { BLOCK_PAGES } from '../../src/memory/pages.ts';
import { isSame } from '../../src/reducers/seal.ts';
import { ByteReader } from '../../src/base/byte-reader.ts';
import { byteWriter, written } from '../../src/replay/trace/bytes.ts';
import { decodeTrailer, encodeTrailer, TRAILER_LENGTH } from '../../src/replay/trace/chunk.ts';
import { CHECKPOINT_MAGIC, framed, PART, unframed } from '../../src/replay/trace/checkpoint-format.ts';
import { readPlain, writePlain } from '../../src/replay/trace/plain-value.ts';
import { openCheckpoints } from '../../src/replay/trace/checkpoint-reader.ts';
import { chance, MUTATIONS } from '../replay/trace/mutated.ts';
import { casesOf, firstOf, LONG } from '../how-long.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';

/** 2,000 with RETROVISOR_MUTATIONS=2000. */
const COUNT = casesOf('RETROVISOR_MUTATIONS', { whole: 300, quick: 60 });
const TICKS = 400_000;
const EVERY = 50_000;

const folder = traceFolder();
const TRACE = join(folder, 'tour.trace');
const SMP = join(folder, 'smp.trace');

beforeAll(() => {
  recordTour(TRACE, [], TICKS);
  recordTour(SMP, ['-smp', '2'], TICKS);
  finish(indexTrace(openRecordedRun(NODE, TRACE, {}), EVERY));
  finish(indexTrace(openRecordedRun(NODE, SMP, {}), EVERY));
});

/** Stand in a trace with its stored checkpoints, and hear why they cannot be used. */
function stood(trace: string): RecordedTimeline & { readonly said: string[] } {
  const said: string[] = [];
  const onStoredProblem = (sentence: string) => void said.push(sentence);
  const recorded = openTimeline(openRecordedRun(NODE, trace, {}), { every: EVERY, onStoredProblem });
  return Object.assign(recorded, { said });
}

const fingerprint = ({ timeline: { machine } }: RecordedTimeline): string =>
  `${digestOf(machine.state)} ${machine.pages.digest()}`;

/** Digests at ticks, reached by running straight on. */
function straight(trace: string, ticks: readonly number[]): Map<number, string> {
  const recorded = openTimeline(openRecordedRun(NODE, trace, {}), { every: Number.MAX_SAFE_INTEGER });
  const marks = new Map<number, string>();
  for (const tick of [...ticks].sort((left, right) => left - right)) {
    recorded.timeline.machine.advance({ tick });
    marks.set(tick, fingerprint(recorded));
  }
  return marks;
}

describe('checkpoints beside a trace', () => {
  const TRACES = [
    ['two processors', SMP],
    ['one processor', TRACE],
  ] as const;
  test.each(firstOf(1, TRACES))('run on to the digests of a straight run at random marks, with %s', (_, trace) => {
    const draw = chance(11);
    const ticks = Array.from({ length: 12 }, () => draw(TICKS));
    const expected = straight(trace, ticks);
    const recorded = stood(trace);
    expect(recorded.timeline.checkpoints.length).toBeGreaterThan(5);
    for (const tick of ticks) {
      recorded.timeline.seek(tick);
      expect([tick, fingerprint(recorded)]).toEqual([tick, expected.get(tick)]);
    }
    expect(recorded.said).toEqual([]);
    expect(recorded.verifier.divergence).toBeUndefined();
  });

  test('spare the way there: what lies before the checkpoint is not run', () => {
    const recorded = stood(TRACE);
    const ticks: number[] = [];
    recorded.timeline.watching(
      ({ tick }) => void ticks.push(tick),
      () => recorded.timeline.seek(330_000),
    );
    expect(recorded.timeline.now.tick).toBe(330_000);
    expect(Math.min(...ticks)).toBeGreaterThanOrEqual(300_000);
  });

  test('left while recording leave the recorded file as it was, and serve as well', LONG, () => {
    const again = join(folder, 'again.trace');
    recordTour(again, ['--checkpoints'], TICKS);
    expect(readAll(openTraceFile(again))).toEqual(readAll(openTraceFile(TRACE)));
    const recorded = stood(again);
    recorded.timeline.seek(TICKS - 5);
    expect(recorded.said).toEqual([]);
    expect(fingerprint(recorded)).toBe(straight(TRACE, [TICKS - 5]).get(TICKS - 5));
  });

  test('are not used with another recording, and a sentence says so', () => {
    const other = join(folder, 'other.trace');
    recordTour(other, ['--seed', '2'], TICKS);
    copyFileSync(checkpointPath(TRACE), checkpointPath(other));
    const recorded = stood(other);
    expect(recorded.said).toEqual([expect.stringMatching(/belong to another recording.*retrovisor index/)]);
    expect(recorded.timeline.checkpoints.length).toBe(1);
  });

  test('are of no use to a future that was forgotten', () => {
    const recorded = stood(TRACE);
    const { timeline } = recorded;
    timeline.seek(160_000);
    timeline.forget();
    expect(Math.max(...timeline.checkpoints.map(({ tick }) => tick))).toBeLessThanOrEqual(160_000);
    expect(timeline.end.tick).toBe(160_000);
    timeline.advance({ tick: 300_000 });
    timeline.seek(250_000);
    expect(fingerprint(recorded)).toBe(straight(TRACE, [250_000]).get(250_000));
  });

  test('that cannot be read, or are no checkpoints, keep nobody from the run', () => {
    const path = join(folder, 'odd.trace');
    copyFileSync(TRACE, path);
    mkdirSync(checkpointPath(path));
    expect(stood(path).said).toEqual([expect.stringMatching(/^[^\n]+\.$/)]);
    rmSync(checkpointPath(path), { recursive: true });
    writeFileSync(checkpointPath(path), 'not this');
    const recorded = stood(path);
    expect(recorded.said).toEqual([expect.stringMatching(/holds no checkpoints/)]);
    expect(recorded.timeline.seek(1000).tick).toBe(1000);
  });

  test.each([1, 3])('of format %i are not used, and a sentence says which it is and what to do', (format) => {
    const path = join(folder, `format-${format}.trace`);
    copyFileSync(TRACE, path);
    const bytes = readFileSync(checkpointPath(TRACE));
    bytes.writeUInt32LE(format, CHECKPOINT_MAGIC.length);
    writeFileSync(checkpointPath(path), bytes);
    const recorded = stood(path);
    const sentence = new RegExp(`are in format ${format}, and this program reads format 2\\..* \`retrovisor index\``);
    expect(recorded.said).toEqual([expect.stringMatching(sentence)]);
    expect(recorded.timeline.seek(1000).tick).toBe(1000);
  });

  const indexWithout = (bytes: Uint8Array, change: (index: Record<string, unknown>) => unknown): Uint8Array => {
    const at = decodeTrailer(bytes.subarray(-TRAILER_LENGTH)) as number;
    const source = {
      name: 'it',
      size: bytes.length,
      read: (from: number, length: number) => bytes.subarray(from, from + length),
    };
    const raw = unframed(source, NODE.inflate, at, ({ kind }) => kind === PART.index) as Uint8Array;
    const out = byteWriter();
    writePlain(out, change(readPlain(new ByteReader(raw, 'the index')) as Record<string, unknown>));
    const place = { kind: PART.index, ordinal: 0, seq: 0, tick: 0 };
    return Buffer.concat([bytes.subarray(0, at), framed(place, written(out), NODE.compress), encodeTrailer(at)]);
  };
  const FIELDS = ['identity', 'inputs', 'checkpoints', 'pageChunks'];
  const ODD_INDEXES: readonly (readonly [string, (index: Record<string, unknown>) => unknown])[] = [
    ...FIELDS.map(
      (field) => [`without ${field}`, (index: Record<string, unknown>) => ({ ...index, [field]: undefined })] as const,
    ),
    ['that is no index', () => 5],
    [
      'whose inputs no machine takes',
      (index) => ({ ...index, inputs: [{ seq: 1, tick: 1, event: { kind: 'constructor' } }] }),
    ],
    [
      'whose checkpoints stand in no order',
      (index) => ({ ...index, checkpoints: (index['checkpoints'] as []).toReversed() }),
    ],
  ];
  test.each(firstOf(2, ODD_INDEXES))('with an index %s cannot be used: the run is replayed instead', (_, change) => {
    const path = join(folder, 'odd-index.trace');
    copyFileSync(TRACE, path);
    writeFileSync(checkpointPath(path), indexWithout(readFileSync(checkpointPath(TRACE)), change));
    const recorded = stood(path);
    expect(recorded.said).toEqual([expect.stringMatching(/incomplete or damaged.*cannot be used/)]);
    expect(recorded.timeline.seek(1000).tick).toBe(1000);
    recorded.close();
  });

  test('of a state that a machine breaks in are left, and the run is replayed to the same digests', LONG, () => {
    const recorded = stood(TRACE);
    const { timeline } = recorded;
    timeline.seek(330_000);
    const right = fingerprint(recorded);
    const broken = stood(TRACE);
    const { machine } = broken.timeline;
    const advance = machine.advance.bind(machine);
    let breaks = 1;
    Object.assign(machine, {
      advance(until: Parameters<typeof advance>[0]) {
        if (breaks-- > 0) throw new TypeError('a field that is not there');
        return advance(until);
      },
    });
    broken.timeline.seek(330_000);
    expect(broken.said).toEqual([expect.stringMatching(/of no state a machine can be in.*cannot be used/)]);
    expect(fingerprint(broken)).toBe(right);
  });

  test('are not made of a run that does not come out as recorded', () => {
    const path = join(folder, 'planted.trace');
    copyFileSync(TRACE, path);
    const run = openRecordedRun(NODE, path, {});
    expect(() => finish(indexTrace({ ...run, seed: 'another' }, EVERY))).toThrow(/seed/);
    expect(existsSync(checkpointPath(path))).toBe(false);
    expect(existsSync(`${checkpointPath(path)}.part`)).toBe(false);
  });

  test('grow in number with the logarithm of the run', () => {
    const countTo = (end: number): number => {
      let count = 0;
      for (let tick = 0; tick < end; tick += strideAt(tick, 1000)) count += 1;
      return count;
    };
    expect(countTo(64_000_000)).toBeLessThan(1500);
    expect(countTo(128_000_000) - countTo(64_000_000)).toBeLessThanOrEqual(128);
  });
});

describe('a file of checkpoints that', () => {
  const source = (bytes: Uint8Array) => ({
    name: 'mutated.ckpt',
    size: bytes.length,
    read: (offset: number, length: number) => bytes.subarray(offset, offset + length),
  });
  const inflate = (stored: Uint8Array, rawLength: number) => inflateRawSync(stored, { maxOutputLength: rawLength });
  const isAlike = (left: Checkpoint, right: Checkpoint): boolean =>
    isSame(left.state, right.state) &&
    left.pages.every((region, at) =>
      region.every((block, of) => block.every((page, i) => Buffer.compare(page, right.pages[at]![of]![i]!) === 0)),
    );

  const title = '%s gives a sentence or the very checkpoint, never another';
  test.each(firstOf(3, Object.entries(MUTATIONS)))(title, (_, mutate) => {
    const bytes = new Uint8Array(readFileSync(checkpointPath(TRACE)));
    const first = takeCheckpoint(stood(TRACE).timeline.machine);
    const trace = createHash('sha256').update(readFileSync(TRACE)).digest('hex');
    const identity = { trace, program: programDigest() };
    const whole = openCheckpoints(source(bytes), inflate, identity, () => undefined).stored;
    const right = whole?.places.map((_place, at) => whole.load(at, first) as Checkpoint) ?? [];
    expect(right[0]!.pages[0]![0]!.length).toBe(BLOCK_PAGES);
    const share = Math.ceil(COUNT / Object.keys(MUTATIONS).length);
    for (let seed = 1; seed <= share; seed += 1) {
      const said: string[] = [];
      const mutated = mutate(bytes, chance(seed * 2_654_435_761));
      const opened = openCheckpoints(source(mutated), inflate, identity, (sentence) => said.push(sentence));
      if (opened.stored === undefined) {
        expect(opened.problem, `seed ${seed}`).toMatch(/^[^\n]{10,300}\.$/);
        continue;
      }
      const { stored } = opened;
      expect(stored.places, `seed ${seed}`).toEqual(whole?.places);
      for (const at of stored.places.keys()) {
        const loaded = stored.load(at, first);
        if (loaded === undefined) expect(said.at(-1), `seed ${seed}`).toMatch(/damaged|missing/);
        else expect(isAlike(loaded, right[at]!), `seed ${seed}: checkpoint ${at}`).toBe(true);
      }
    }
  });

  test('is damaged in the middle costs time and not the place one wanted', LONG, () => {
    const path = join(folder, 'damaged.trace');
    copyFileSync(TRACE, path);
    const bytes = readFileSync(checkpointPath(TRACE));
    for (let at = 4000; at < bytes.length - 4000; at += 997) bytes[at]! ^= 0x10;
    writeFileSync(checkpointPath(path), bytes);
    const recorded = stood(path);
    recorded.timeline.seek(333_333);
    expect(fingerprint(recorded)).toBe(straight(TRACE, [333_333]).get(333_333));
    expect(recorded.said.join()).toMatch(/damaged/);
  });
});
