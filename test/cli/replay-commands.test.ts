import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { fold, replay, rerun } from '../../src/cli/replay-commands.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { compress, createTraceFile, openTraceFile } from '../../src/host/trace-file.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { createTraceWriter } from '../../src/replay/trace/writer.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';

const folder = traceFolder();
const TRACE = join(folder, 'tour.trace');

beforeAll(() => recordTour(TRACE, ['-smp', '2'], 200_000));

type Command = (path: string, print: (line: string) => void) => number | Promise<number>;
const COMMANDS: readonly (readonly [string, Command, RegExp])[] = [
  [
    'replay',
    (path, print) => replay(path, {}, print),
    /^(\d+) events and \d+ digests equal, 0 divergences, tick 200000$/,
  ],
  [
    'rerun',
    (path, print) => rerun(path, {}, print),
    /^(\d+) events and \d+ digests equal, 0 divergences, tick 200000$/,
  ],
  ['fold', fold, /^(\d+) events folded, \d+ digests of \d+ slices equal$/],
];

async function said(
  command: Command,
  path: string,
): Promise<{ readonly status: number; readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const status = await command(path, (line) => void lines.push(line));
  return { status, lines };
}

/** The same trace with one event changed. */
function changed(name: string, at: (stamped: Stamped) => boolean, event: object) {
  const path = join(folder, name);
  const trace = openTraceFile(TRACE);
  const { events } = readAll(trace);
  const { seq } = events.find(at) as Stamped;
  const { engineVersion, machine, images, seed } = trace.header;
  const sink = createTraceFile(path);
  const writer = createTraceWriter(sink, compress, { engineVersion, machine, images, seed });
  for (const stamped of events) {
    writer.append(stamped.seq === seq ? { ...stamped, event: { ...stamped.event, ...event } } : stamped);
  }
  writer.close();
  sink.close();
  return { path, seq };
}

describe('a recorded run of two processors', () => {
  test.each(COMMANDS)('comes out equal by %s, every event of it', async (_, command, pattern) => {
    const { status, lines } = await said(command, TRACE);
    expect(status).toBe(0);
    expect(lines[0]).toMatch(pattern);
    expect(Number(pattern.exec(lines[0]!)?.[1])).toBe(openTraceFile(TRACE).eventCount);
  });

  test('ends in the same state whether it is run or only folded', async () => {
    const [, rerunDigest] = (await said(COMMANDS[1]![1], TRACE)).lines;
    const [, foldDigest] = (await said(COMMANDS[2]![1], TRACE)).lines;
    expect(foldDigest).toMatch(/^digest [0-9a-f]{16,}$/);
    expect(foldDigest).toBe(rerunDigest);
  });
});

describe('an event that did not happen so', () => {
  test.each(COMMANDS.slice(0, 2))('is named by %s', async (_, command) => {
    const isOut = ({ seq, event }: Stamped): boolean => seq > 2000 && event.kind === 'kvm_pio' && event.rw === 1;
    const { path, seq } = changed('out.trace', isOut, { val: 0x7f });
    const { status, lines } = await said(command, path);
    expect(status).toBe(3);
    expect(lines[0]).toContain(`differs from the trace at event ${seq}, `);
  });

  test('shows in the slice that a fold names', async () => {
    // COM1's scratch register, which nobody uses.
    const isOut = ({ seq, event }: Stamped): boolean => seq > 2000 && event.kind === 'memory_region_ops_write';
    const { path, seq } = changed('scratch.trace', isOut, { addr: 0x3ff, value: 0x5a });
    const { status, lines } = await said(fold, path);
    expect(status).toBe(3);
    const [, at, slices] = /differs at event (\d+), tick \d+, in ([^ ].*)\.$/.exec(lines[0]!) ?? [];
    expect(Number(at)).toBeGreaterThan(seq);
    expect(slices).toBe('serial0');
  });
});
