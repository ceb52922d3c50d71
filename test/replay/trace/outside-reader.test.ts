import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventJson } from '../../../src/replay/export/event-json.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import type { MachineEvent } from '../../../src/events/vocabulary.ts';
import { openTraceFile } from '../../../src/host/trace-file.ts';
import { readAll } from '../../../src/replay/trace/reader.ts';
import { scratchFolder } from '../../guests/command-line.ts';
import { LONG } from '../../how-long.ts';
import { tool, without } from '../../stepping-aside.ts';
import { anyEvent } from './any-event.ts';
import { noise, sha256, traceOf, traceWith } from './sample.ts';

const folder = scratchFolder();
const READER = join(import.meta.dirname, 'read-trace.py');
const GOLDEN = join(import.meta.dirname, '../../../traces');
const SEED = 20261129;
/** More than a chunk of them. */
const EVENTS = 5000;

/** The events another program reads from a trace, knowing nothing but docs/trace-format.md. */
function readElsewhere(path: string, ...options: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync('python3', [READER, path, ...options], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').slice(0, -1);
}

/** Events of every kind, with links to any that came before. */
function anyRun(): Stamped[] {
  const link = fc.option(fc.nat(), { nil: undefined });
  const any = fc.record({ event: anyEvent, gap: fc.nat(1 << 20), source: fc.nat(600), cause: link, within: link });
  const earlier = (at: number | undefined, seq: number): number | undefined =>
    at === undefined || seq === 0 ? undefined : at % seq;
  let tick = 0;
  return fc.sample(any, { numRuns: EVENTS, seed: SEED }).map(({ event, gap, source, cause, within }, seq) => {
    tick += gap;
    const links = { cause: earlier(cause, seq), within: earlier(within, seq) };
    // Names of no other source than there are.
    const by = source < 4 || source >= 16 ? source : 0;
    return { seq, tick, source: by, ...links, event: event as unknown as MachineEvent };
  });
}

describe('a reader made from the page of the format alone', without(tool('python3')), () => {
  test('reads events of every kind as they were written', () => {
    const events = anyRun();
    const path = join(folder, 'any.trace');
    writeFileSync(path, traceOf(events));
    expect(readElsewhere(path)).toEqual(events.map(eventJson));
  });

  test('reads payloads, each of which lies before the events that name it', LONG, () => {
    const path = join(folder, 'payloads.trace');
    const { bytes, events, payloads } = traceWith([noise(70, 1), noise(1_500_000, 2), new Uint8Array(0), noise(80, 3)]);
    writeFileSync(path, bytes);
    const listed = payloads.map((payload) => `${sha256(payload)} ${payload.length}`);
    expect(readElsewhere(path, '--payloads')).toEqual([...events.map(eventJson), ...listed]);
  });

  test('reads the format before', () => {
    const path = join(import.meta.dirname, 'recorded/format-2.trace');
    expect(readElsewhere(path)).toEqual(readAll(openTraceFile(path)).events.map(eventJson));
  });

  test('reads a recorded run as ours does', LONG, () => {
    const path = join(GOLDEN, 'seabios.trace');
    const { events, damage } = readAll(openTraceFile(path));
    expect(damage).toBeUndefined();
    expect(readElsewhere(path)).toEqual(events.map(eventJson));
  });
});
