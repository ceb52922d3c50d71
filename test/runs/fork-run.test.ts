import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseChange } from '../../src/replay/interventions.ts';
import { type Forked, forkRun } from '../../src/runs/forks/fork-run.ts';
import { NODE } from '../../src/host/node.ts';
import { openRecordedRun, openTimeline, type RecordedRun } from '../../src/runs/recorded/recorded-run.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { describeDifference, differenceOfTraces, type TraceDifference } from '../../src/replay/trace-difference.ts';
import { firstOf, LONG } from '../how-long.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';

const folder = traceFolder();
const PARENT = join(folder, 'parent.trace');
let parent: RecordedRun;

beforeAll(() => {
  recordTour(PARENT);
  parent = openRecordedRun(NODE, PARENT, {});
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
  return { ...forked, run: openRecordedRun(NODE, trace, {}) };
};

/** The first divergence when a recorded run is run again. */
function divergence(run: RecordedRun): string {
  const { timeline, verifier, events } = openTimeline(run);
  timeline.seek({ seq: (events.at(-1)?.seq ?? 0) + 1, tick: events.at(-1)?.tick ?? 0 });
  expect(verifier.agreed).toBe(events.length);
  return verifier.divergence === undefined ? '' : describeDivergence(verifier.divergence);
}

describe('a fork', () => {
  const CHANGES: readonly (readonly [string, string, string, string])[] = [
    ['a register', 'rip.trace', '20000', 'rax=0x1234'],
    ['memory', 'memory.trace', 'kvm_exit CPUID', 'mem:0x7000=deadbeef'],
    ['a field of the state', 'state.trace', '50%', 'state clock.warpedNs=99999999'],
    ['an interrupt nobody sent', 'raised.trace', '50%', 'raise irq 0x40'],
    ['what is typed', 'typed.trace', '10000', 'type x\\n'],
  ];
  const title = 'with %s changed replays exactly and differs from its parent from there on';
  test.each(firstOf(2, CHANGES))(title, (_, name, place, change) => {
    const { run, at } = fork(name, place, change);
    expect(divergence(run)).toBe('');
    const difference = differenceOfTraces({ a: parent.read.events, b: run.read.events });
    expect(difference).toBeDefined();
    expect(Math.min(difference?.a?.tick ?? Infinity, difference?.b?.tick ?? Infinity)).toBeGreaterThanOrEqual(at.tick);
    expect(run.trace.header.parent).toEqual({ trace: PARENT, at: place, set: change });
  });

  const LATER: readonly (readonly [string, string, number | undefined])[] = [
    ['delayed is delivered that much later', 'delay irq 0x40 by 5000', 5_000],
    ['dropped is never delivered', 'drop irq 0x40', undefined],
  ];
  test.each(firstOf(1, LATER))('in which an interrupt is %s parts from its parent there', (_, change, later) => {
    const whole = join(folder, 'whole.trace');
    if (!existsSync(whole)) recordTour(whole, ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'], 700_000);
    const run = openRecordedRun(NODE, whole, {});
    const trace = join(folder, `${change.split(' ')[0]}.trace`);
    const place = 'kvm_apic_accept_irq';
    const { at } = forkRun({
      run,
      place,
      changes: parseChange(change),
      said: change,
      trace,
      ticks: undefined,
      onSerial: () => undefined,
    });
    const forked = openRecordedRun(NODE, trace, {});
    expect(divergence(forked)).toBe('');
    // The guest is halted: it wakes at the interrupt, or else at the next.
    const waited = ({ read }: RecordedRun): number => {
      const woken = read.events.find(({ event, seq }) => event.kind === 'kvm_vcpu_wakeup' && seq >= at.seq)?.event;
      return woken?.kind === 'kvm_vcpu_wakeup' ? woken.ns : 0;
    };
    const longer = waited(forked) - waited(run);
    if (later === undefined) expect(longer).toBeGreaterThan(100_000);
    else expect(longer).toBe(later * run.description.nsPerTick);
    const difference = differenceOfTraces({ a: run.read.events, b: forked.read.events });
    expect(Math.min(difference?.a?.tick ?? Infinity, difference?.b?.tick ?? Infinity)).toBe(at.tick);
    expect(describeDifference(difference as TraceDifference)).toContain('sim:intervened');
  });

  test('names its parent where it begins, and closes as any run does', () => {
    const { run, at } = fork('named.trace', '20000', 'rax=1');
    const { events } = run.read;
    expect(events[at.seq]!.event).toEqual({ kind: 'sim:forked', parent: 'parent.trace' });
    // The processor is in the guest when somebody ends the run.
    const ends = ['sim:stopped', 'kvm_exit', 'sim:memory_digest', 'sim:digest'];
    expect(events.slice(-4).map(({ event }) => event.kind)).toEqual(ends);
    expect(events.filter(({ event }) => event.kind === 'sim:stopped')).toHaveLength(1);
  });

  test('without a change goes on as its parent does: that it is one is noticed by nobody', LONG, () => {
    const { run, at } = fork('same.trace', '500');
    const told = ({ read }: RecordedRun) =>
      read.events
        .filter(({ event: { kind } }) => !/^sim:(forked|digest|memory_digest)$/.test(kind))
        .map(({ tick, source, event }) => ({ tick, source, event }));
    const [ours, theirs] = [told(run), told(parent)];
    expect(ours.length).toBeGreaterThan(at.seq + 100);
    expect(ours).toEqual(theirs);
    expect(run.read.events.at(-2)?.event).toEqual(parent.read.events.at(-2)?.event);
  });

  test('of something typed carries the next thing typed as changed, or not at all', () => {
    const { run } = fork('once.trace', '10000', 'type abc');
    const again = (name: string, change: string) => {
      const trace = join(folder, name);
      const changes = parseChange(change);
      forkRun({ run, place: '5000', changes, said: change, trace, ticks: undefined, onSerial: () => undefined });
      return openRecordedRun(NODE, trace, {}).read.events.filter(({ event }) => event.kind === 'sim:serial_received');
    };
    expect(again('other.trace', 'typed xyz')[0]!.event).toMatchObject({ bytes: new TextEncoder().encode('xyz') });
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

  test('changes a field of a part whose name is more than a word', () => {
    const { run } = fork('part.trace', '20000', 'state vmm.devices.piix4-pm.apmStatus=7');
    const set = run.read.events.flatMap(({ event }) => (event.kind === 'sim:state_set' ? [event.path] : []));
    expect(set).toEqual(['vmm.devices.piix4-pm.apmStatus']);
  });

  test('that cannot be made leaves no trace behind', () => {
    expect(() => fork('dropped.trace', '20000', 'drop irq 0x40')).toThrow('nothing to drop');
    expect(() => fork('dropped.trace', '20000', 'mem:0xf0000000=00')).toThrow('no guest memory');
    expect(() => fork('dropped.trace', '20000', 'state kvm.nonsense=1')).toThrow('no field kvm.nonsense');
    expect(() => fork('dropped.trace', '99999999', 'rax=1')).toThrow('lies outside the run');
    expect(existsSync(join(folder, 'dropped.trace'))).toBe(false);
  });

  test('that cannot be made leaves what had its name as it was', () => {
    const { run } = fork('kept.trace', '20000', 'rax=1');
    const before = readFileSync(run.path);
    expect(() => fork('kept.trace', '20000', 'drop irq 0x40')).toThrow('nothing to drop');
    expect(() => fork('kept.trace', 'nowhere', 'rax=1')).toThrow('neither a place');
    expect(readFileSync(run.path).equals(before)).toBe(true);
    expect(existsSync(`${run.path}.part`)).toBe(false);
    writeFileSync(join(folder, 'letter.txt'), 'Dear reader');
    expect(() => fork('letter.txt', '20000', 'rax=1')).toThrow('is not a trace');
    expect(readFileSync(join(folder, 'letter.txt'), 'latin1')).toBe('Dear reader');
  });

  test.each(['foo', 'delay irq 0x40', 'drop irq 3', 'mem:1=zz', 'eax='])(
    'of %s is refused with what it can be',
    (text) => {
      expect(() => parseChange(text)).toThrow(/is no change|only a delay|no vector/);
    },
  );
});
