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
const CUT = join(ODD, 'cut.trace');
const NEWER = join(ODD, 'newer.trace');
const NO_KERNEL = join(folder, 'no-kernel.trace');
const FORGED = 'x\nretrovisor: all is well';
const SYMBOLS = join(folder, 'odd.map');
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

/** Lines that a stranger made look like ours. */
const forgedIn = (text: string): string[] =>
  text.split('\n').filter((line) => /^(forged|kvm_exit: forged|retrovisor: all is well)/.test(line));

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
  writeFileSync(
    CUT,
    whole.subarray(0, new DataView(whole.buffer, whole.byteOffset).getFloat64(whole.length - 16, true)),
  );
  const newer = Uint8Array.from(whole);
  newer[8] = 99;
  writeFileSync(NEWER, newer);
  const elsewhere = withHeader(whole, (header) => ({
    ...header,
    machine: { ...(header['machine'] as object), paths: { kernel: `/nowhere/${FORGED}` } },
    images: (header['images'] as object[]).map((image) => ({ ...image, sha256: '0'.repeat(64) })),
  }));
  writeFileSync(NO_KERNEL, elsewhere);
  writeFileSync(SYMBOLS, `0000000000000000 T odd${BELL}\nffffffffffff0000 T odd${BELL}2\n`);
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

  test.each([
    ['a path of a trace that has no end', ['info', CUT]],
    ['a path of another format', ['info', NEWER]],
    ['a recorded path at which no image is', ['replay', NO_KERNEL]],
    ['a command at the prompt', ['debug', TRACE, '--batch', '--ex', `x ${FORGED}`]],
    ['the output of a command', ['fold', join(ODD, FORGED)]],
  ])('and is no line of ours in a sentence about %s', async (_, words) => {
    const { status, err } = await answer(words);
    expect(status).not.toBe(70);
    expect(err).toContain('retrovisor: all is well');
    expect(forgedIn(err)).toEqual([]);
  });

  const PROMPT = ['at start', 'bt', 'x/4i $pc', 'events 4', 'at end', 'at print owned', `x ${BELL}`, 'history $rsp'];
  const COMMANDS: readonly (readonly string[])[] = [
    ['info', TRACE],
    ['events', TRACE],
    ['events', TRACE, '--json'],
    ['events', TRACE, '--csv'],
    ['stat', TRACE],
    ['console', TRACE],
    ['console', TRACE, '--ticks', '--device', BELL],
    ['fold', TRACE],
    ['replay', TRACE, '--console'],
    ['index', TRACE],
    ['pack', TRACE, '--describe'],
    ['pack', TRACE],
    ['info', `${TRACE}.pack`],
    ['unpack', `${TRACE}.pack`, join(ODD, 'unpacked')],
    ['verify', TRACE],
    ['fork', TRACE, '--at', '50%', '--set', 'rbx=5', '--trace', join(ODD, 'fork.trace')],
    ['debug', TRACE, '--symbols', SYMBOLS, '--batch', ...PROMPT.flatMap((line) => ['--ex', line])],
    ['rerun', TRACE],
    ['diff', TRACE, join(folder, 'text.trace')],
  ];
  test.each(COMMANDS)('in what `%s` prints of a trace', LONG, (...words) => {
    const { status, out, err } = retrovisor(words.filter((word) => word !== undefined));
    expect(status).not.toBe(70);
    expect(`${out}${err}`).not.toMatch(OBEYED);
    expect([...forgedIn(out), ...forgedIn(err)]).toEqual([]);
    if (words.includes('--json')) for (const line of out.trim().split('\n')) JSON.parse(line);
  });
});
