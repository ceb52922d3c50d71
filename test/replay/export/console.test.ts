import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { printConsole } from '../../../src/cli/console-command.ts';
import { finish } from '../../../src/base/work.ts';
import type { Stamped } from '../../../src/events/stamped.ts';
import { type ConsoleLine, ConsoleLines } from '../../../src/replay/export/console-lines.ts';
import { printedBy, readPrintPattern } from '../../../src/replay/export/print-pattern.ts';
import { printed, retrovisor } from '../../guests/command-line.ts';
import { LONG } from '../../how-long.ts';

const TOUR = fileURLToPath(new URL('../../../traces/tour.trace', import.meta.url));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function linesOf(pieces: readonly Uint8Array[]): ConsoleLine[] {
  const found: ConsoleLine[] = [];
  const lines = new ConsoleLines((line) => found.push(line));
  for (const [at, piece] of pieces.entries()) lines.add(piece, { tick: 10 * at, ns: at });
  lines.end();
  return found;
}

/** A run that prints these, each byte by an event of its own, on devices by turns. */
function printing(pieces: readonly (readonly [device: string, text: string])[]): Stamped[] {
  const events = pieces.flatMap(([device, text]): object[] => {
    const line = /^serial(\d)$/.exec(device)?.[1];
    if (line === undefined) return [{ kind: 'sim:chardev_sent', dev: device, bytes: bytes(text) }];
    return [...bytes(text)].map((byte) => ({ kind: 'sim:serial_sent', line: Number(line), byte }));
  });
  return events.map((event, seq) => ({ seq, tick: 100 + seq, source: 16, event }) as unknown as Stamped);
}

describe('the lines of a console', () => {
  test('are joined from bytes, each with when its first byte came', () => {
    const found = linesOf(['ab', 'c\r\n', '\n', 'é\t1', '\u001b[2J'].map(bytes));
    expect(found.map(({ text, tick }) => [tick, text])).toEqual([
      [0, 'abc'],
      [20, ''],
      [30, 'é\t1\\x1b[2J'],
    ]);
    expect(linesOf([Uint8Array.of(0xff, 0x41)])[0]?.text).toBe('\ufffdA');
  });

  test('are cut where a guest never ends one', () => {
    const found = linesOf([new Uint8Array(10_000).fill(0x41)]);
    expect(found.map(({ text }) => text.length)).toEqual([4096, 4096, 1808]);
  });

  test('of a recorded run are what it printed, with ticks, times, or byte for byte', LONG, async () => {
    const shown = (options: object): Promise<string> =>
      printed((print) => printConsole(TOUR, { raw: false, ...options }, print));
    const plain = await shown({});
    expect(plain).toContain('A tour of the machine, from the inside.\n');
    expect((await shown({ before: 'ticks' })).replaceAll(/^ *\d+ {2}/gm, '')).toBe(plain);
    expect((await shown({ before: 'times' })).replaceAll(/^\[ *\d+\.\d{6}\] /gm, '')).toBe(plain);
    const raw = retrovisor(['console', TOUR, '--raw']);
    expect(raw.out).toContain('\r\n');
    expect(raw.out.replaceAll('\r\n', '\n')).toBe(plain);
  });
});

describe('what a guest prints', () => {
  const events = printing([
    ['serial0', 'boot: ok\r\n'],
    ['port', 'panic: none\n'],
    ['serial1', 'pa'],
    ['serial0', 'pan'],
    ['serial1', 'nic'],
    ['serial0', 'ic now\nöl panic'],
  ]);
  const at = (words: string): number[] =>
    finish(printedBy(events, readPrintPattern(words).pattern)).map(({ seq }) => seq);
  const seqOf = (device: RegExp, nth: number): number =>
    events.filter(({ event }) => device.test(`${event.kind} ${Reflect.get(event, 'line')}`))[nth]!.seq;

  test('is met at the event that completes it, on any console or one', () => {
    const expected = [seqOf(/chardev/, 0), seqOf(/sent 1/, 4), seqOf(/sent 0/, 14), seqOf(/sent 0/, 28)];
    expect(at('"panic"')).toEqual(expected);
    expect(at("'panic'")).toEqual(expected);
    expect(at('panic')).toEqual(expected);
    expect(at('/pan(ic)/')).toEqual(expected);
    expect(at('serial1 "panic"')).toEqual([expected[1]]);
    expect(at('port /none$/')).toEqual([expected[0]]);
    expect(at('"öl"')).toEqual([seqOf(/sent 0/, 22)]);
    expect(at('/^öl/')).toEqual(at('"öl"'));
    expect(at('"ok\\r"')).toEqual([]);
  });

  test('is looked at line by line by a regular expression', () => {
    expect(at('serial0 /ok$/')).toEqual([seqOf(/sent 0/, 7)]);
    expect(at('serial0 /ok.*panic/s')).toEqual([]);
    expect(at('serial0 /PANIC NOW/i')).toEqual([seqOf(/sent 0/, 18)]);
    expect(at('serial0 /x*/')).not.toEqual([]);
    const long = printing([['port', `${'a'.repeat(9000)}b`]]);
    // A line that never ends is looked at in pieces: no match is longer than one.
    expect(finish(printedBy(long, readPrintPattern('/a+/').pattern))).toHaveLength(3);
  });

  test.each([
    ['', 'Say what is printed'],
    ['""', 'is empty'],
    ['/(/', 'cannot be read'],
    [`"${'x'.repeat(2000)}"`, 'at most 1000 characters'],
  ])('asked for by %s is answered with a sentence', (words, sentence) => {
    expect(() => readPrintPattern(words)).toThrow(sentence);
  });

  test('on a console that printed nothing is named, with those that did', () => {
    expect(() => at('serial2 "x"')).toThrow('Nothing was printed on serial2: this run has serial0, port, serial1.');
  });
});
