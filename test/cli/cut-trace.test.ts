import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { diff } from '../../src/cli/diff.ts';
import { debug } from '../../src/cli/debug.ts';
import { printConsole } from '../../src/cli/console-command.ts';
import { fork } from '../../src/cli/fork.ts';
import { index } from '../../src/cli/index-command.ts';
import { pack } from '../../src/cli/pack.ts';
import { fold, replay, rerun } from '../../src/cli/replay-commands.ts';
import { printEvents } from '../../src/cli/events-command.ts';
import { printStatistics } from '../../src/cli/stat-command.ts';
import { type Print, printInfo } from '../../src/cli/trace-commands.ts';
import { verify } from '../../src/cli/verify.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { openTrace } from '../../src/api/index.ts';
import '../../src/testing/vitest.ts';
import { firstOf, LONG } from '../how-long.ts';
import { type OpenChunk, resealed } from '../replay/resealed.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';

const folder = traceFolder();
const at = (name: string): string => join(folder, name);
const [WHOLE, CUT, TORN, GAP] = ['whole', 'cut', 'torn', 'gap'].map(at) as [string, string, string, string];

/** Bytes of a chunk's header. */
const HEADER = 64;

beforeAll(() => {
  recordTour(WHOLE, [], 100_000);
  const bytes = readFileSync(WHOLE);
  const trace = openTraceFile(WHOLE);
  const [first, second, third] = trace.chunks;
  const indexAt = bytes.readDoubleLE(bytes.length - 16);
  trace.close();
  writeFileSync(CUT, bytes.subarray(0, indexAt));
  writeFileSync(TORN, bytes.subarray(0, indexAt - 100));
  const middle = [bytes.subarray(0, second!.offset), bytes.subarray((third ?? { offset: indexAt }).offset, indexAt)];
  writeFileSync(GAP, Buffer.concat(middle));
  expect(first?.offset).toBeGreaterThan(HEADER);
});

/** What a command says on standard error and prints, and its status. */
async function told(command: (print: Print) => number | Promise<number>) {
  let err = '';
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  const out: string[] = [];
  try {
    return { status: await command((line) => void out.push(line)), err, out: () => out.join('\n') };
  } finally {
    spy.mockRestore();
  }
}

type Command = (path: string, print: Print) => number | Promise<number>;

const EVERYTHING = { fromTick: 0, toTick: Number.MAX_SAFE_INTEGER, inputsOnly: false };

const LOOKING: readonly (readonly [string, Command])[] = [
  ['info', printInfo],
  ['events', (path, print) => printEvents(path, EVERYTHING, { limit: 1 }, print)],
  ['stat', (path, print) => printStatistics(path, {}, print)],
  ['console', (path, print) => printConsole(path, { raw: false }, print)],
  ['debug', (path, print) => debug(path, { batch: true }, print)],
  ['pack', (path, print) => pack(path, { force: true }, print)],
  ['pack --describe', (path, print) => pack(path, { describe: true }, print)],
  ['index', (path, print) => index(path, {}, print)],
  ['fork', (path, print) => fork(path, { at: '50%', set: ['rbx=5'], trace: at('fork') }, print)],
];

/** Of two traces each is judged. */
const diffs = (path: string, print: Print, acceptCut: boolean) => diff(path, path, print, { acceptCut });

/** Commands of which each is quick. */
const QUICK = LOOKING.slice(0, 7);
const LASTING = LOOKING.slice(7);

const JUDGING: readonly (readonly [string, (path: string, print: Print, acceptCut: boolean) => ReturnType<Command>])[] =
  [
    ['fold', (path, print, acceptCut) => fold(path, print, { acceptCut })],
    ['rerun', (path, print, acceptCut) => rerun(path, { acceptCut }, print)],
    ['replay', (path, print, acceptCut) => replay(path, { acceptCut }, print)],
    ['diff', diffs],
  ];

describe('a trace whose recorder did not end', () => {
  test.each(QUICK)('is said by %s, which goes on', async (_, command) => {
    const { status, err } = await told((print) => command(CUT, print));
    expect(err).toContain('cut has no end: its recorder did not end');
    expect(status).toBe(0);
  });

  test.each(LASTING)('is said by %s, which goes on', LONG, async (_, command) => {
    const { status, err } = await told((print) => command(CUT, print));
    expect(err).toContain('cut has no end: its recorder did not end');
    expect(status).toBe(0);
  });

  test.each(firstOf(1, JUDGING))('is no success of %s, unless that is accepted', async (_, command) => {
    const refused = await told((print) => command(CUT, print, false));
    expect(refused.err).toContain('its recorder did not end');
    expect(refused.err).toContain('--accept-cut');
    expect(refused.status).toBe(1);
    const accepted = await told((print) => command(CUT, print, true));
    expect(accepted.err).toContain('its recorder did not end');
    expect([accepted.status, accepted.out()]).toEqual([0, refused.out()]);
  });

  test('is no success of verify, unless that is accepted', LONG, async () => {
    const verified = (acceptCut: boolean) =>
      told((print) => verify([WHOLE, CUT], { jobs: 1, access: { acceptCut } }, print));
    const refused = await verified(false);
    expect(refused.status).toBe(1);
    expect(refused.out()).toMatch(/PROBLEM {2}.*cut\n[\s\S]*its recorder did not end/);
    expect((await verified(true)).status).toBe(0);
  });

  test.each(JUDGING.slice(0, 1))('is said by %s when its last chunk is torn', async (_, command) => {
    const { status, err } = await told((print) => command(TORN, print, false));
    expect(err).toMatch(
      /torn is cut off at byte \d+: chunk \d+ is incomplete and is left out; its recorder did not end/,
    );
    expect(status).toBe(1);
    expect((await told((print) => command(TORN, print, true))).status).toBe(0);
  });

  test('proves nothing to a matcher, whichever way it is asked', () => {
    for (const trace of [CUT, TORN]) {
      expect(() => expect(trace).toReplayExactly()).toThrow('its recorder did not end');
      expect(() => expect(trace).not.toReplayExactly()).toThrow('its recorder did not end');
      expect(() => expect(trace).toNeverRaise('kvm_exit TRIPLE_FAULT')).toThrow('acceptCut');
      expect(() => expect(trace).not.toNeverRaise('kvm_exit CPUID')).toThrow('acceptCut');
      expect(() => expect(trace).toReach('kvm_exit CPUID')).toThrow('acceptCut');
      expect(() => expect(trace).not.toPrint('kernel panic')).toThrow('acceptCut');
    }
    expect(CUT).toReplayExactly({ acceptCut: true });
    expect(CUT).toReach('kvm_exit CPUID', { acceptCut: true });
    expect(CUT).toNeverRaise('kvm_exit TRIPLE_FAULT', { acceptCut: true });
    expect(CUT).not.toPrint('kernel panic', { acceptCut: true });
  });

  test('ends the streams of a program with an error, unless that is accepted', async () => {
    const streamed = (acceptCut: boolean) =>
      new Promise<string>((resolve) => {
        const trace = openTrace(CUT, { acceptCut });
        const over = (how: string): void => {
          trace.close();
          resolve(how);
        };
        trace.events$.subscribe({ error: (error: Error) => over(error.message), complete: () => over('complete') });
      });
    expect(await streamed(false)).toContain('its recorder did not end');
    expect(await streamed(true)).toBe('complete');
  });
});

describe('a trace without one of its chunks', () => {
  const saysSo = async (_: string, command: Command | (typeof JUDGING)[number][1]): Promise<void> => {
    const { status, err } = await told((print) => command(GAP, print, true));
    expect(err.match(/gap is out of order at byte \d+/g)).toHaveLength(command === diffs ? 2 : 1);
    expect(status).toBe(1);
  };
  test.each([...QUICK, ...JUDGING.slice(0, 2)])('is said by %s, accepted or not', saysSo);
  test.each([...LASTING, ...JUDGING.slice(2)])('is said by %s, accepted or not', LONG, saysSo);

  test.each([
    ['the first', 0],
    ['a middle one', 1],
  ])('is said when it is %s, whatever checksums and index say', async (_, dropped) => {
    const isDropped = ({ header }: OpenChunk, events: number): boolean => header.kind === 2 && events === dropped;
    let events = 0;
    const others = (chunks: OpenChunk[]) =>
      chunks.filter((chunk) => {
        const isGone = isDropped(chunk, events);
        if (chunk.header.kind === 2) events += 1;
        return !isGone;
      });
    writeFileSync(at('resealed'), resealed(readFileSync(WHOLE), others));
    const { status, err } = await told((print) => printInfo(at('resealed'), print));
    expect(err).toMatch(/resealed is out of order at byte \d+: chunk \d+ does not follow the events before it/);
    expect(status).toBe(1);
    if (dropped > 0) expect((await told((print) => fold(at('resealed'), print))).err).toBe(err);
    else expect(() => fold(at('resealed'), () => undefined)).toThrow('does not follow the events before it');
  });
});
