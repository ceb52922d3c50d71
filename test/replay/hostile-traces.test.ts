import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Observable } from 'rxjs';
import seedrandom from 'seedrandom';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Problem } from '../../src/base/problem.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { openTrace, replay, rerun } from '../../src/api/index.ts';
import { configurationOf, readDescription } from '../../src/runs/machine/machine-description.ts';
import { compress, openTraceFile } from '../../src/host/trace-file.ts';
import { interventionEvent } from '../../src/machine/intervene.ts';
import type { InputEvent } from '../../src/machine/parts.ts';
import { fold } from '../../src/replay/fold.ts';
import { inOrder } from '../../src/replay/trace/in-order.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { createTraceWriter } from '../../src/replay/trace/writer.ts';
import { droppableMachine } from '../engine/machines.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { casesOf } from '../how-long.ts';
import { hostileGuest } from '../sim/hostile-guest.ts';
import { drawing, type Draw, mutatedEvents } from './mutated-events.ts';
import { type OpenChunk, resealed } from './resealed.ts';

/** 20,000 with RETROVISOR_MUTATIONS=20000; others with another RETROVISOR_SEED. */
const COUNT = casesOf('RETROVISOR_MUTATIONS', { whole: 600, quick: 40 });
const FROM = process.env['RETROVISOR_SEED'] ?? 'mutations';
/** Reading is cheap; running again is not. */
const STREAMED_EVERY = 6;
const RERUN_EVERY = 6;
const REPLAYED_EVERY = 40;
/** More than any array of the state of the machine recorded here has. */
const LONGEST_ARRAY = 2 ** 17;
const MINUTES = 60_000;
const TICKS = 2_600;
const folder = scratchFolder();
const TRACE = join(folder, 'recorded.trace');
const MUTATED = join(folder, 'mutated.trace');
const SENTENCE = /^[^\n]{10,1000}$/;
const MOST_FAILURES = Number(process.env['RETROVISOR_FAILURES'] ?? 20);
/** Of every kind a machine takes. */
const INPUTS: readonly InputEvent[] = [
  { kind: 'sim:serial_received', line: 0, bytes: Uint8Array.of(65, 66) },
  { kind: 'sim:keyboard_received', bytes: Uint8Array.of(0x1c, 0xf0, 0x1c) },
  { kind: 'sim:power_button_pressed' },
  interventionEvent({ what: 'register', vcpu: 0, name: 'rbx', value: '0x77' }),
  interventionEvent({ what: 'xsave', vcpu: 1, offset: 32, bytes: '0011' }),
  interventionEvent({ what: 'memory', gpa: 0x8000, bytes: 'f4f4' }),
  interventionEvent({ what: 'interrupt', vcpu: 0, vector: 0x40, pending: true }),
  interventionEvent({ what: 'state', path: 'clock.warpedNs', value: '99999999' }),
  { kind: 'sim:reset_requested' },
];
let recorded: readonly Stamped[];
let failures: string[] = [];
beforeEach(() => {
  failures = [];
});

beforeAll(() => {
  const kernel = join(folder, 'hostile.bin');
  writeFileSync(kernel, hostileGuest('traces'));
  const { machine, inputs, close } = droppableMachine(['-kernel', kernel, '-m', '4', '-smp', '2'], 'traces', TRACE);
  INPUTS.forEach((event, at) => {
    machine.advance({ tick: 1000 + 150 * at, ns: 50e6 });
    inputs.push({ event });
  });
  machine.advance({ tick: TICKS, ns: 50e6 });
  close();
  recorded = readAll(openTraceFile(TRACE)).events;
});

/** A trace of these events, whatever they are. */
function write(events: readonly Stamped[]): Uint8Array {
  const from = openTraceFile(TRACE);
  const { engineVersion, images, seed, machine } = from.header;
  from.close();
  const pieces: Uint8Array[] = [];
  const sink = { append: (bytes: Uint8Array) => void pieces.push(bytes) };
  const writer = createTraceWriter(sink, compress, { engineVersion, images, seed, machine });
  for (const stamped of events) writer.append(stamped);
  writer.close();
  return Buffer.concat(pieces);
}

/** The longest array anywhere in a plain value. */
function longestArray(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? value.length : 0;
  if (own > LONGEST_ARRAY) return own;
  return Math.max(own, ...Object.values(value).map((each) => longestArray(each)));
}

/** What reading comes to: nothing but a sentence may stop it. */
async function outcome(how: string, read: () => unknown): Promise<string> {
  try {
    await read();
    return 'read';
  } catch (problem) {
    if (problem instanceof Problem && SENTENCE.test(problem.message)) return 'refused';
    failures.push(`${how}: ${problem instanceof Error ? problem.stack : String(problem)}`);
    return 'failed';
  }
}

function foldTrace(): void {
  const file = openTraceFile(MUTATED);
  try {
    const { state } = fold(inOrder(file), configurationOf(readDescription(file.header.machine, MUTATED)));
    expect(longestArray(state)).toBeLessThan(LONGEST_ARRAY);
  } finally {
    file.close();
  }
}

const over = (stream: Observable<unknown>): Promise<void> =>
  new Promise((complete, error) => stream.subscribe({ complete, error }));

async function stream(): Promise<void> {
  const trace = openTrace(MUTATED);
  try {
    await over(trace.events$);
    await over(trace.states$);
    trace.at({ seq: trace.describe().events >> 1, tick: 0 });
  } finally {
    trace.close();
  }
}

/** Read a trace in every way there is, the costly ones now and then. */
async function readAllWays(how: string, at: number): Promise<string> {
  const first = await outcome(how, foldTrace);
  if (at % STREAMED_EVERY === 0) await outcome(`${how}, streamed`, stream);
  if (at % RERUN_EVERY === 1) await outcome(`${how}, run again on its tape`, () => rerun(MUTATED));
  if (at % REPLAYED_EVERY === 2) await outcome(`${how}, replayed`, () => replay(MUTATED));
  return first;
}

/** One chunk's content or header is not what the recorder wrote. */
function spoilt(chunks: readonly OpenChunk[], draw: Draw): readonly OpenChunk[] {
  const at = draw.below(chunks.length);
  const { header, content } = chunks[at] as OpenChunk;
  const copy = content.slice();
  const kinds: readonly (() => OpenChunk)[] = [
    () => {
      for (let left = 1 + draw.below(4); left > 0; left -= 1) copy[draw.below(copy.length)] = draw.below(256);
      return { header, content: copy };
    },
    () => {
      const from = draw.below(copy.length);
      return {
        header,
        content: copy.fill(draw.pick([0, 0x7f, 0x80, 0xff]), from, Math.min(copy.length, from + 1 + draw.below(40))),
      };
    },
    () => ({ header, content: copy.slice(0, draw.below(copy.length)) }),
    () => ({ header: { ...header, events: draw.pick([0, 1, header.events + 1, 2 ** 31, 2 ** 32 - 1]) }, content }),
    () => ({
      header: { ...header, rawLength: draw.pick([0, 1, header.rawLength - 1, 2 ** 31, 2 ** 32 - 1]) },
      content,
    }),
    () => ({ header: { ...header, firstSeq: draw.pick([0, 1, -1, 2 ** 53, Number.NaN]) }, content }),
  ];
  return (chunks as OpenChunk[]).with(at, draw.pick(kinds)());
}

describe('a trace that nobody recorded is read, or refused with a sentence', () => {
  test(
    `by what its events say: ${COUNT} mutations from ${FROM}`,
    async () => {
      const outcomes = new Map<string, number>();
      for (let at = 0; at < COUNT && failures.length < MOST_FAILURES; at += 1) {
        const seed = `${FROM} ${at}`;
        const { events, how } = mutatedEvents(recorded, drawing(seedrandom.alea(seed)));
        writeFileSync(MUTATED, write(events));
        const came = await readAllWays(`${seed}: ${how}`, at);
        outcomes.set(came, (outcomes.get(came) ?? 0) + 1);
      }
      process.stdout.write(`${recorded.length} events, ${JSON.stringify(Object.fromEntries(outcomes))}\n`);
      expect(failures).toEqual([]);
      expect(outcomes.size).toBe(2);
    },
    2 * MINUTES + COUNT * 1000,
  );

  test(
    `by how it is packed, with checksums that are right: ${COUNT} mutations from ${FROM}`,
    async () => {
      const whole = write(recorded);
      expect(resealed(whole, (chunks) => chunks).length).toBeGreaterThan(0);
      for (let at = 0; at < COUNT && failures.length < MOST_FAILURES; at += 1) {
        const seed = `${FROM} packed ${at}`;
        const draw = drawing(seedrandom.alea(seed));
        writeFileSync(
          MUTATED,
          resealed(whole, (chunks) => spoilt(chunks, draw)),
        );
        await readAllWays(seed, at);
      }
      expect(failures).toEqual([]);
    },
    2 * MINUTES + COUNT * 1000,
  );
});
