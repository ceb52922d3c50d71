import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { finish } from '../../../src/base/work.ts';
import { LONG } from '../../how-long.ts';
import { openRun, openTrace, replay, rerun } from '../../../src/api/index.ts';
import { printInfo } from '../../../src/cli/trace-commands.ts';
import { driver } from '../../../src/devices/debug-ports/index.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { NODE } from '../../../src/host/node.ts';
import { compress, openTraceFile } from '../../../src/host/trace-file.ts';
import { LONGEST_PAYLOAD, type PayloadSource } from '../../../src/memory/payloads.ts';
import { runOptions } from '../../../src/options/run-arguments.ts';
import { fold } from '../../../src/replay/fold.ts';
import { endOf } from '../../../src/replay/places.ts';
import { inOrder } from '../../../src/replay/trace/in-order.ts';
import { readAll } from '../../../src/replay/trace/reader.ts';
import { createTraceWriter } from '../../../src/replay/trace/writer.ts';
import { forkRun } from '../../../src/runs/forks/fork-run.ts';
import { configurationOf, readDescription } from '../../../src/runs/machine/machine-description.ts';
import { indexTrace } from '../../../src/runs/recorded/index-trace.ts';
import { openRecordedRun, openTimeline } from '../../../src/runs/recorded/recorded-run.ts';
import { openSession } from '../../../src/runs/underway/open-session.ts';
import { printed, scratchFolder } from '../../guests/command-line.ts';
import { AT, installMailbox, MAILBOX, mailboxGuest, PRINTED } from './mailbox.ts';

const folder = scratchFolder();
const TRACE = join(folder, 'letters.trace');
const LETTERS = 50;
const LENGTH = 0x10000;

/** Bytes nobody makes smaller, the same each time. */
const LETTER = new Uint8Array(LENGTH);
for (let at = 0; at < LENGTH; at += 32) LETTER.set(createHash('sha256').update(String(at)).digest(), at);
LETTER[PRINTED] = 0x41;
const NOTE = Uint8Array.of(1, 2, 3);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const NAME = sha256(LETTER);

let remove: () => void;
let events: readonly Stamped[] = [];

interface Correspondence {
  readonly console: string;
  /** What `at` the last event of the run says of the letter's place in memory. */
  readonly letter: Uint8Array;
}

/** Record a guest that is sent a letter each time it has printed something of the last one. */
async function correspond(trace: string, letters: number): Promise<Correspondence> {
  const kernel = join(folder, `mailbox-${letters}.bin`);
  writeFileSync(kernel, mailboxGuest(letters));
  const devices = ['isa-debug-exit,iobase=0xf4,iosize=4'];
  const run = openRun({ kernel, devices, memory: 4, wallClock: 1_700_000_000, trace });
  let console = '';
  let last: Stamped | undefined;
  run.events$.subscribe((stamped) => {
    last = stamped;
    if (stamped.event.kind !== 'sim:serial_sent') return;
    console += String.fromCharCode(stamped.event.byte);
    if (console.length < letters) run.receive(MAILBOX, LETTER);
  });
  run.receive(MAILBOX, NOTE);
  run.receive(MAILBOX, LETTER);
  await run.ended();
  const letter = run.at(last as Stamped).memory(AT.letter, LENGTH);
  run.close();
  return { console, letter };
}

beforeAll(async () => {
  remove = installMailbox();
  const { console, letter } = await correspond(TRACE, LETTERS);
  expect(console).toBe('A'.repeat(LETTERS));
  expect(letter).toEqual(LETTER);
  events = readAll(openTraceFile(TRACE)).events;
});

afterAll(() => remove());

const received = (): readonly Stamped[] => events.filter(({ event }) => event.kind === 'sim:payload_received');

/** The machine's own events, and payloads from wherever. */
function rewritten(name: string, payloads?: PayloadSource, told = events): string {
  const path = join(folder, name);
  const { engineVersion, images, seed, machine } = openTraceFile(TRACE).header;
  const pieces: Uint8Array[] = [];
  const sink = { append: (bytes: Uint8Array) => void pieces.push(bytes.slice()) };
  const writer = createTraceWriter(sink, compress, { engineVersion, images, seed, machine }, { payloads });
  for (const stamped of told) writer.append(stamped);
  writer.close();
  writeFileSync(path, Buffer.concat(pieces));
  return path;
}

describe('a payload that came 50 times', LONG, () => {
  test('is in the trace once, and its inputs name it', async () => {
    const file = openTraceFile(TRACE);
    expect(file.payloads.list().map(({ sha256: name, length }) => [name, length])).toEqual([
      [sha256(NOTE), NOTE.length],
      [NAME, LENGTH],
    ]);
    expect(file.payloads.payload(NAME, sha256)).toEqual(LETTER);
    file.close();
    const named = received().map(({ event }) => event);
    expect(named.slice(1)).toEqual(
      new Array(LETTERS).fill({ kind: 'sim:payload_received', dev: MAILBOX, sha256: NAME, len: LENGTH }),
    );
    const once = join(folder, 'letter.trace');
    await correspond(once, 1);
    expect(statSync(once).size).toBeGreaterThan(LENGTH);
    expect(statSync(TRACE).size - statSync(once).size).toBeLessThan(LENGTH / 4);
  });

  test('is counted by `info`', async () => {
    expect(await printed((print) => printInfo(TRACE, print))).toContain(
      `2 payloads from outside, ${LENGTH + NOTE.length} bytes, each content once`,
    );
  });

  test('comes out of the trace in another process', { timeout: 60_000 }, async () => {
    const program = fileURLToPath(new URL('replay-mailbox.ts', import.meta.url));
    const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program, TRACE], { encoding: 'utf8' });
    expect(stderr).toBe('');
    const { digest } = await replay(TRACE);
    expect(JSON.parse(stdout)).toEqual({ agreed: events.length, events: events.length, digest });
    expect(events.filter(({ event }) => event.kind === 'sim:memory_digest').length).toBeGreaterThan(0);
  });

  test('is there before and after a seek, from checkpoints held and stored', () => {
    const run = openRecordedRun(NODE, TRACE, {});
    const { timeline, verifier } = openTimeline(run, { every: 64 });
    const middle = received()[LETTERS / 2]!;
    for (const place of [endOf(events), middle, received()[1]!, middle, endOf(events)]) timeline.seek(place);
    expect(verifier.divergence).toBeUndefined();
    expect(timeline.checkpoints.length).toBeGreaterThan(2);
    expect(finish(indexTrace(run, 128)).checkpoints).toBeGreaterThan(0);
    const problems: string[] = [];
    const stored = openTimeline(run, { every: 1 << 20, onStoredProblem: (sentence) => problems.push(sentence) });
    stored.timeline.seek(middle);
    stored.timeline.seek(endOf(events));
    expect([stored.verifier.divergence, ...problems]).toEqual([undefined]);
    run.trace.close();
  });

  test('is where the guest has it, and not before', () => {
    const trace = openTrace(TRACE);
    const [note, first] = received();
    expect(trace.at(events[first!.seq + 2]!).memory(AT.note, 4)).toEqual(Uint8Array.of(...NOTE, 0));
    expect(trace.at(note!).memory(AT.letter, 4)).toEqual(new Uint8Array(4));
    expect(trace.at(events.at(-1)!).memory(AT.letter, LENGTH)).toEqual(LETTER);
    trace.close();
  });

  test('goes with a fork', async () => {
    const trace = join(folder, 'fork.trace');
    const run = openRecordedRun(NODE, TRACE, {});
    const place = String(received()[LETTERS / 2]!.tick);
    const fork = { run, place, changes: [], said: 'nothing', trace, ticks: undefined, onSerial: () => undefined };
    forkRun(fork);
    run.trace.close();
    expect(openTraceFile(trace).payloads.list()).toHaveLength(2);
    expect((await replay(trace)).divergence).toBeUndefined();
  });
});

test('a session hands a payload on as well', async () => {
  const trace = join(folder, 'session.trace');
  const kernel = join(folder, 'mailbox-2.bin');
  writeFileSync(kernel, mailboxGuest(2));
  const exit = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-m', '4', '--wall-clock', '1700000000'];
  let console = '';
  const serial = (_line: number, bytes: Uint8Array): void => void (console += Buffer.from(bytes).toString());
  const options = runOptions(['-kernel', kernel, ...exit, '--trace', trace]);
  const session = openSession(NODE, options, { serial, character: () => undefined });
  const bytes = LETTER.slice();
  session.receive(MAILBOX, bytes);
  // What is given is given: nobody changes it afterwards.
  bytes.fill(0);
  session.receive(MAILBOX, bytes);
  expect(session.run(60_000, false)).toMatchObject({ pause: 'ended', end: { status: 1 } });
  session.close();
  expect(console).toBe('A\0');
  expect(await replay(trace)).toMatchObject({ divergence: undefined });
});

describe('without a byte of it', LONG, () => {
  test('a run folds, and is run again without a processor', async () => {
    const path = rewritten('bare.trace');
    expect(openTraceFile(path).payloads.list()).toEqual([]);
    for (const trace of [path, TRACE]) {
      const file = openTraceFile(trace);
      const folded = fold(inOrder(file), configurationOf(readDescription(file.header.machine, trace)));
      expect(folded).toMatchObject({ events: events.length, difference: undefined });
      file.close();
      expect(await rerun(trace)).toMatchObject({ divergence: undefined, agreed: events.length });
    }
  });

  test('a run is not replayed', async () => {
    const path = rewritten('missing.trace');
    const { size } = statSync(path);
    const why = `${path} ends at byte ${size} and does not hold it.`;
    await expect(replay(path)).rejects.toThrow(`The payload ${sha256(NOTE)} cannot be read: ${why}`);
  });

  test('a rerun finds out who decides by it', async () => {
    const { create } = driver;
    const deciding = (): ReturnType<typeof create> => {
      const device = create({});
      const write: typeof device.write = (state, ...[, , , , effects]) => {
        const [first = ''] = Reflect.get(state, 'waiting') as string[];
        effects.commit();
        const bytes = effects.payloadOf(first);
        effects.dmaWrite(AT.letter, bytes[PRINTED] === 0x41 ? bytes : bytes.subarray(1));
      };
      return { ...device, write };
    };
    Object.assign(driver, { create: deciding });
    const restored = (): void => void Object.assign(driver, { create });
    const [replayed, { divergence }] = await Promise.all([replay(TRACE), rerun(TRACE)]).finally(restored);
    expect(replayed.divergence).toBeUndefined();
    expect(divergence).toMatch(/sim:dma[^_]/);
  });
});

describe('a payload that is spoilt', LONG, () => {
  test('is refused by its digest', async () => {
    const other = LETTER.slice();
    other[7]! ^= 1;
    const path = rewritten('other.trace', { payload: (name) => (name === NAME ? other : NOTE) });
    const said = new RegExp(
      `^The payload ${NAME} cannot be read: .*other.trace is damaged in chunk 2 \\(byte \\d+\\): ` +
        `what it holds there has the SHA-256 ${sha256(other)}\\.$`,
    );
    await expect(replay(path)).rejects.toThrow(said);
    expect(readAll(openTraceFile(path))).toEqual({ events, damage: undefined });
  });

  test('is refused by its checksum, and its events are read', async () => {
    const path = join(folder, 'spoilt.trace');
    const bytes = readFileSync(TRACE);
    const { chunk } = openTraceFile(TRACE).payloads.list()[1]!;
    bytes[chunk.offset + 1000]! ^= 1;
    writeFileSync(path, bytes);
    await expect(replay(path)).rejects.toThrow(
      // Which chunk it is hangs on how long those before it were waited for.
      /^The payload [0-9a-f]{64} cannot be read: .*spoilt.trace is damaged in chunk \d \(bytes \d+ to \d+\)/,
    );
    expect(readAll(openTraceFile(path))).toEqual({ events, damage: undefined });
  });
});

describe('an input that names a payload and lies', () => {
  test.each([
    ['of its length', { len: 2 ** 50 }, `The payload ${sha256(NOTE)} is longer than ${LONGEST_PAYLOAD} bytes.`],
    ['of its name', { sha256: 'x'.repeat(1000) }, `No payload is named ${'x'.repeat(200)}...: that is no SHA-256.`],
    ['of who receives it', { dev: 'nobody' }, 'There is no device nobody to receive a payload.'],
  ])('%s is refused', async (what, lie, sentence) => {
    const at = received()[0]!.seq;
    const told = events.map((stamped) => {
      return stamped.seq === at ? { ...stamped, event: { ...stamped.event, ...lie } as Stamped['event'] } : stamped;
    });
    const path = rewritten(`${what}.trace`, undefined, told);
    await expect(replay(path)).rejects.toThrow(sentence);
    await expect(rerun(path)).rejects.toThrow(sentence);
  });
});

describe('a payload is not taken', () => {
  const given = async (dev: string, bytes: Uint8Array): Promise<unknown> => {
    const run = openRun(['-nodefaults', '--no-trace']);
    run.receive(dev, bytes);
    return run.ended();
  };

  test('by a device that is not there', async () => {
    await expect(given('isa-mailbox#0', NOTE)).rejects.toThrow(
      'There is no device isa-mailbox#0 to receive a payload.',
    );
  });

  test('by a device that could not use it', async () => {
    await expect(given('rtc', NOTE)).rejects.toThrow('rtc is a device that receives no payloads.');
  });

  test('that is longer than a trace keeps one', async () => {
    await expect(given(MAILBOX, new Uint8Array(LONGEST_PAYLOAD + 1))).rejects.toThrow(
      'A payload of 16777217 bytes is too long: 16777216 are the most, give it in pieces.',
    );
  });
});
