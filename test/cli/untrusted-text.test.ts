import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Stamped } from '../../src/events/stamped.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { answer, retrovisor, scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { recordSmall, traceOf, withHeader } from '../replay/crafted.ts';

const BELL = '\x1b]0;owned\x07\x9b31m\u202e';
const folder = scratchFolder();
const ODD = join(folder, `odd${BELL}\nretrovisor: all is well`);
const TRACE = join(ODD, 'odd.trace');
/** What a terminal obeys; lines and tabs aside. */
const OBEYED = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202e]/;

/** Console bytes that are commands, after every event that was there. */
function printing(events: readonly Stamped[]): Stamped[] {
  const last = events.at(-1) as Stamped;
  const bytes = [...new TextEncoder().encode(`${BELL}\r\nhello`)];
  const said = bytes.map((byte, at) => ({
    ...last,
    seq: last.seq + 1 + at,
    event: { kind: 'sim:serial_sent', line: 0, byte } as const,
  }));
  const typed = { kind: 'sim:intervened', what: BELL, value: `${BELL}\nkvm_exit: forged` } as const;
  return [...events, ...said, { ...last, seq: last.seq + 1 + bytes.length, event: typed }];
}

beforeAll(() => {
  mkdirSync(ODD);
  const recorded = recordSmall(folder, 'text');
  const trace = openTraceFile(recorded);
  const { events } = readAll(trace);
  trace.close();
  const parent = { trace: `p${BELL}\nforged: line`, at: BELL, set: BELL };
  const whole = withHeader(traceOf(recorded, printing(events)), (header) => ({
    ...header,
    parent,
    engineVersion: `1${BELL}`,
    images: (header['images'] as object[]).map((image) => ({ ...image, name: `k${BELL}` })),
  }));
  writeFileSync(TRACE, whole);
});

describe('what a stranger wrote is shown, and obeyed by no terminal', () => {
  test.each([
    ['a path that is not there', ['info', `${BELL}.trace`]],
    ['an option', ['run', `--${BELL}`]],
    ['a kernel', ['run', '-kernel', BELL, '--no-trace']],
  ])('in a sentence about %s', async (_, words) => {
    const { status, err } = await answer(words);
    expect(status).not.toBe(70);
    expect(err).toMatch(/\\x1b\]0;owned\\x07\\u009b31m\\u202e/);
    expect(err).not.toMatch(OBEYED);
  });

  const COMMANDS: readonly (readonly string[])[] = [
    ['info', TRACE],
    ['events', TRACE],
    ['events', TRACE, '--json'],
    ['stat', TRACE],
    ['fold', TRACE],
    ['rerun', TRACE],
    ['diff', TRACE, join(folder, 'text.trace')],
  ];
  test.each(COMMANDS)('in what `%s` prints of a trace', LONG, (...words) => {
    const { status, out, err } = retrovisor(words.filter((word) => word !== undefined));
    expect(status).not.toBe(70);
    expect(`${out}${err}`).not.toMatch(OBEYED);
    expect(out.split('\n').filter((line) => /^(forged|kvm_exit|retrovisor): /.test(line))).toEqual([]);
    if (words.includes('--json')) for (const line of out.trim().split('\n')) JSON.parse(line);
  });
});
