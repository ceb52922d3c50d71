import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openRun, openTrace, replay, rerun } from '../../src/api/index.ts';
import { Problem } from '../../src/base/problem.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { byteWriter, writeVarint, written } from '../../src/replay/trace/bytes.ts';
import { CHUNK } from '../../src/replay/trace/chunk.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { holding, recordSmall, traceOf, withHeader } from './crafted.ts';
import { type OpenChunk, resealed } from './resealed.ts';

const folder = scratchFolder();
const CRAFTED = join(folder, 'crafted.trace');
const SENTENCE = /^[^\n]{10,1000}$/;
const MIB = 2 ** 20;
let whole: Uint8Array;
let recorded: string;

beforeAll(() => {
  recorded = recordSmall(folder, 'untrusted');
  whole = traceOf(recorded);
});

/** The sentence with which a trace is refused, by whoever reads it first. */
async function refusal(trace: Uint8Array, read: () => unknown = () => readAll(openTraceFile(CRAFTED)).damage) {
  writeFileSync(CRAFTED, trace);
  try {
    return await read();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    expect(problem.message).toMatch(SENTENCE);
    return problem.message;
  }
}

const opened = (): unknown => openTrace(CRAFTED).close();
const runAgain = (): unknown => rerun(CRAFTED);

type Machine = Record<string, unknown>;
const withMachine = (change: Machine): Uint8Array =>
  withHeader(whole, (header) => ({ ...header, machine: { ...(header['machine'] as Machine), ...change } }));
const withImage = (change: Machine): Uint8Array =>
  withHeader(whole, (header) => ({
    ...header,
    images: (header['images'] as Machine[]).map((image) => ({ ...image, ...change })),
  }));
const withEvents = (change: (chunk: OpenChunk) => OpenChunk): Uint8Array =>
  resealed(whole, (chunks) => chunks.map((chunk) => (chunk.header.kind === CHUNK.events ? change(chunk) : chunk)));

describe('the header of a trace', () => {
  test.each([
    ['more memory than there can be', { memory: 65_536 }, /machine.*memory/],
    ['half nanoseconds', { nsPerTick: 1.3 }, /machine.*nsPerTick/],
    ['an age for an instruction', { nsPerTick: 1e18 }, /machine.*nsPerTick/],
    ['a crowd of processors', { smp: 1e9 }, /machine.*smp/],
    ['dear costs', { costs: { exit: 1e30 } }, /machine.*costs/],
    ['a digest at every instruction', { digestEvery: 1 }, /machine.*digestEvery/],
    ['a crowd of devices', { devices: new Array(5000).fill({ driver: 'edu', properties: {} }) }, /machine.*devices/],
  ])('asks for %s and is refused as the command line would be', async (_, machine, sentence) => {
    expect(await refusal(withMachine(machine), opened)).toMatch(sentence);
  });

  test.each(['__proto__', 'constructor', 'toString'])('names %s, which is nobody', async (name) => {
    const kinds = withHeader(whole, (header) => {
      const vocabulary = JSON.stringify({ ...(header['vocabulary'] as object), KIND: {} }).replace('KIND', name);
      return JSON.stringify({ ...header, vocabulary: 0 }).replace('"vocabulary":0', `"vocabulary":${vocabulary}`);
    });
    expect(await refusal(kinds)).toMatch(/header of .*crafted.trace is damaged: vocabulary.*is no name/);
    expect(await refusal(withImage({ role: name }))).toMatch(/header of .* is damaged: images.0.role: .*role/);
    const devices = withMachine({ devices: [{ driver: name, properties: {} }] });
    expect(await refusal(devices, runAgain)).toMatch(/device|driver/);
  });

  test('has no more kinds and fields than anything that was recorded', async () => {
    const fields = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`f${at}`, 'u']));
    const wide = withHeader(whole, (header) => ({ ...header, vocabulary: { wide: fields } }));
    expect(await refusal(wide)).toMatch(/vocabulary.wide: has more than 64 names/);
    const kinds = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`k${at}`, {}]));
    const many = withHeader(whole, (header) => ({ ...header, vocabulary: kinds }));
    expect(await refusal(many)).toMatch(/vocabulary: has more than 1024 names/);
  });

  test('is no gigabyte in a few kilobytes', async () => {
    const before = process.memoryUsage().rss;
    const bomb = resealed(whole, ([head, ...rest]) => [holding(head as OpenChunk, new Uint8Array(64 * MIB)), ...rest]);
    expect(await refusal(bomb)).toMatch(/chunk 0 \(byte 16\): no chunk like it holds 67108864 bytes/);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * MIB);
  });

  test('is neither deeper nor fuller than any that was written', async () => {
    const nest = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;
    const deep = withHeader(whole, (header) =>
      JSON.stringify({ ...header, machine: { deep: 0 } }).replace('"deep":0', `"deep":${nest}`),
    );
    expect(await refusal(deep)).toMatch(/more values, or deeper ones/);
    const full = withHeader(whole, (header) => ({ ...header, images: new Array(100_000).fill(0) }));
    expect(await refusal(full)).toMatch(/more values, or deeper ones/);
  });

  test('says how large an image is, which takes no memory by itself', async () => {
    expect(await refusal(withImage({ bytes: 2 ** 40 }))).toMatch(/images.0.bytes/);
    expect(await refusal(withImage({ bytes: -1 }))).toMatch(/images.0.bytes/);
    expect(await refusal(withImage({ sha256: '../../etc/passwd' }))).toMatch(/images.0.sha256: is no SHA-256/);
  });

  test.each(['a FIFO', '/dev/zero', 'a folder'])('names %s as its kernel, which is never read', async (what) => {
    const path = what === '/dev/zero' ? what : join(folder, what.replace(' ', '-'));
    if (what === 'a FIFO') execFileSync('mkfifo', [path]);
    const kernel = withMachine({ paths: { kernel: what === 'a folder' ? folder : path } });
    const elsewhere = withHeaderOf(kernel, { name: 'nowhere.bin', sha256: '0'.repeat(64) });
    expect(await refusal(elsewhere, () => replay(CRAFTED))).toMatch(/kernel/);
  });

  const withHeaderOf = (trace: Uint8Array, image: Machine): Uint8Array =>
    withHeader(trace, (header) => ({
      ...header,
      images: (header['images'] as Machine[]).map((each) => ({ ...each, ...image })),
    }));
});

describe('a chunk of a trace', () => {
  test('has no more events than a recorder puts into one', async () => {
    const many = withEvents(({ header, content }) => ({ header: { ...header, events: 2 ** 31 }, content }));
    expect(await refusal(many)).toMatch(/out of order at byte \d+: chunk 1/);
  });

  test.each([
    ['a count that its bytes cannot carry', (out: ReturnType<typeof byteWriter>) => writeVarint(out, 2 ** 40)],
    ['no count at all', () => undefined],
  ])('holds %s, which is said with chunk and byte', async (_, write) => {
    const lying = withEvents((chunk) => {
      const out = byteWriter(16);
      writeVarint(out, chunk.header.events);
      write(out);
      return holding(chunk, written(out));
    });
    expect(await refusal(lying)).toMatch(/crafted.trace is damaged in chunk 1 \(byte \d+\): .*\(byte \d+ of \d+\)/);
  });

  test('is inflated to what its header says, and that is no more than its bytes can hold', async () => {
    const large = withEvents(({ header, content }) => ({ header: { ...header, rawLength: 2 ** 25 }, content }));
    expect(await refusal(large)).toMatch(
      /chunk 1 \(byte \d+\): \d+ bytes cannot hold the 33554432 its header tells of/,
    );
  });
});

test('a recorder writes no chunk that a reader would refuse, however large its inputs are', LONG, () => {
  const events = readAll(openTraceFile(recorded)).events;
  const last = events.at(-1)!;
  const typed = Array.from({ length: 5 }, (_, at) => ({
    ...last,
    seq: last.seq + 1 + at,
    event: { kind: 'sim:serial_received', line: 0, bytes: new Uint8Array(2 ** 23 + 2 ** 22).fill(at) } as const,
  }));
  writeFileSync(CRAFTED, traceOf(recorded, [...events, ...typed]));
  const file = openTraceFile(CRAFTED);
  const read = readAll(file);
  expect(read.damage).toBeUndefined();
  const lengths = read.events
    .slice(-5)
    .map(({ seq, event }) => [seq, event.kind === 'sim:serial_received' && event.bytes.length]);
  expect(lengths).toEqual(typed.map(({ seq, event }) => [seq, event.bytes.length]));
  expect(file.chunks.length).toBeGreaterThan(1);
  file.close();
});

describe('the index of a trace', () => {
  const indexOf = (places: readonly (readonly number[])[], count = places.length): Uint8Array => {
    const out = byteWriter(64);
    writeVarint(out, count);
    for (const value of places.flat()) writeVarint(out, value);
    return written(out);
  };

  test.each([
    ['counts what it does not have', indexOf([], 2 ** 31)],
    ['names one chunk again and again', indexOf(new Array(1000).fill([16, 1, 0, 0, 0, 0]))],
    ['names places beyond the end', indexOf([[2 ** 50, 1, 0, 0, 0, 0]])],
  ])('%s: the chunks themselves are walked then', async (_, index) => {
    const trace = resealed(whole, (chunks) => chunks, index);
    writeFileSync(CRAFTED, trace);
    const file = openTraceFile(CRAFTED);
    expect(readAll(file).events.length).toBe(file.eventCount);
    expect(file.eventCount).toBeGreaterThan(10);
    file.close();
  });
});

describe('files are closed', () => {
  const openFiles = (): number => readdirSync('/proc/self/fd').length;

  test('of traces that are opened, refused, run again and cannot be', async () => {
    writeFileSync(CRAFTED, withMachine({ memory: 0 }));
    const noKernel = join(folder, 'no-kernel.trace');
    writeFileSync(
      noKernel,
      withHeader(whole, (header) => ({
        ...header,
        images: (header['images'] as Machine[]).map((image) => ({ ...image, sha256: '0'.repeat(64) })),
      })),
    );
    const attempts: readonly (() => unknown)[] = [
      () => openTrace(recorded).close(),
      () => openTrace(CRAFTED),
      () => rerun(recorded),
      () => rerun(CRAFTED),
      () => replay(noKernel),
      () => openRun({ kernel: join(folder, 'not-there.bin') }),
      async () => {
        const kernel = join(folder, 'untrusted.bin');
        const run = openRun({ kernel, memory: 4, ticks: 50, trace: join(folder, 'run.trace'), checkpoints: true });
        await run.ended();
        run.close();
      },
      () => {
        const trace = openTrace(noKernel);
        try {
          trace.at({ seq: 5, tick: 0 }).registers(0);
        } finally {
          trace.close();
        }
      },
    ];
    const once = async (): Promise<void> => {
      for (const attempt of attempts) await refusal(readFileSync(CRAFTED), attempt);
    };
    await once();
    const before = openFiles();
    for (let times = 0; times < 2; times += 1) await once();
    expect(openFiles()).toBe(before);
  });
});
