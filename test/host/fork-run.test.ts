import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseChange } from '../../src/debugger/interventions.ts';
import { type Forked, forkRun } from '../../src/host/fork-run.ts';
import { openRecordedRun, openTimeline, type RecordedRun } from '../../src/host/recorded-run.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { differenceOfTraces } from '../../src/replay/trace-difference.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';

const folder = traceFolder();
const PARENT = join(folder, 'parent.trace');
let parent: RecordedRun;

beforeAll(() => {
  recordTour(PARENT);
  parent = openRecordedRun(PARENT, {});
});

const fork = (name: string, place: string, ...said: readonly string[]): Forked & { readonly run: RecordedRun } => {
  const trace = join(folder, name);
  const forked = forkRun({
    run: parent,
    place,
    changes: said.flatMap(parseChange),
    said: said.join('; '),
    trace,
    ticks: undefined,
    onSerial: () => undefined,
  });
  return { ...forked, run: openRecordedRun(trace, {}) };
};

/** The first divergence when a recorded run is run again. */
function divergence(run: RecordedRun): string {
  const { timeline, verifier, events } = openTimeline(run);
  timeline.seek({ seq: (events.at(-1)?.seq ?? 0) + 1, tick: events.at(-1)?.tick ?? 0 });
  expect(verifier.agreed).toBe(events.length);
  return verifier.divergence === undefined ? '' : describeDivergence(verifier.divergence);
}

describe('a fork', () => {
  test.each([
    ['a register', 'rip.trace', '20000', 'rax=0x1234'],
    ['memory', 'memory.trace', 'kvm_exit CPUID', 'mem:0x7000=deadbeef'],
    ['a field of the state', 'state.trace', '50%', 'state clock.warpedNs=99999999'],
    ['an interrupt nobody sent', 'raised.trace', '50%', 'raise irq 0x40'],
    ['what is typed', 'typed.trace', '10000', 'type x\\n'],
  ])('with %s changed replays exactly and differs from its parent from there on', (_, name, place, change) => {
    const { run, at } = fork(name, place, change);
    expect(divergence(run)).toBe('');
    const difference = differenceOfTraces({ a: parent.read.events, b: run.read.events });
    expect(difference).toBeDefined();
    expect(Math.min(difference?.a?.tick ?? Infinity, difference?.b?.tick ?? Infinity)).toBeGreaterThanOrEqual(at.tick);
    expect(run.trace.header.parent).toEqual({ trace: PARENT, at: place, set: change });
  });

  test('of something typed carries the next thing typed as changed, or not at all', () => {
    const { run } = fork('once.trace', '10000', 'type abc');
    const again = (name: string, change: string) => {
      const trace = join(folder, name);
      const changes = parseChange(change);
      forkRun({ run, place: '5000', changes, said: change, trace, ticks: undefined, onSerial: () => undefined });
      return openRecordedRun(trace, {}).read.events.filter(({ event }) => event.kind === 'sim:serial_received');
    };
    expect(again('other.trace', 'typed xyz')[0].event).toMatchObject({ bytes: new TextEncoder().encode('xyz') });
    expect(again('none.trace', 'typed')).toEqual([]);
  });

  test('leaves its parent as it was', () => {
    const before = readFileSync(PARENT);
    fork('another.trace', '30000', 'rcx=1');
    expect(readFileSync(PARENT).equals(before)).toBe(true);
    expect(() =>
      forkRun({ run: parent, place: '1', changes: [], said: '', trace: PARENT, ticks: 1, onSerial: () => undefined }),
    ).toThrow('is the parent');
  });

  test('that cannot be made leaves no trace behind', () => {
    expect(() => fork('dropped.trace', '20000', 'drop irq 0x40')).toThrow('nothing to drop');
    expect(() => fork('dropped.trace', '20000', 'mem:0xf0000000=00')).toThrow('no guest memory');
    expect(() => fork('dropped.trace', '20000', 'state kvm.nonsense=1')).toThrow('no field kvm.nonsense');
    expect(() => fork('dropped.trace', '99999999', 'rax=1')).toThrow('lies outside the run');
    expect(existsSync(join(folder, 'dropped.trace'))).toBe(false);
  });

  test.each(['foo', 'delay irq 0x40', 'drop irq 3', 'mem:1=zz', 'eax='])(
    'of %s is refused with what it can be',
    (text) => {
      expect(() => parseChange(text)).toThrow(/is no change|only a delay|no vector/);
    },
  );
});
