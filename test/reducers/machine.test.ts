import { describe, expect, test } from 'vitest';
import type { Stamped } from '../../src/events/stamped.ts';
import { restoreCheckpoint, takeCheckpoint } from '../../src/machine/checkpoint.ts';
import { digestOf } from '../../src/base/digest.ts';
import { fakeMachine, inputQueue, typed } from './fakes.ts';

const END = 100_000;

const line = (stamped: Stamped): string =>
  JSON.stringify(stamped, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));

const lines = (events: readonly Stamped[]): string => events.map(line).join('\n');

const digests = (events: readonly Stamped[]): unknown[] =>
  events.filter(({ event }) => event.kind === 'sim:digest').map(({ event }) => event);

describe('the machine loop', () => {
  test('gives the same events for the same seed, and others for another', () => {
    const [a, b, c] = ['1', '1', '2'].map((seed) => fakeMachine({ seed, vcpus: 3 }));
    for (const { machine } of [a, b, c]) machine.advance({ tick: END });
    expect(lines(a.events)).toBe(lines(b.events));
    expect(lines(c.events)).not.toBe(lines(a.events));
    expect(digests(a.events).length).toBeGreaterThan(3);
  });

  test('where a caller stops cannot be seen in the run', () => {
    const whole = fakeMachine({ vcpus: 2 });
    whole.machine.advance({ tick: END });
    const pieces = fakeMachine({ vcpus: 2 });
    for (let tick = 0; tick < END; tick += 313) pieces.machine.advance({ tick: Math.min(END, tick + 313) });
    expect(lines(pieces.events)).toBe(lines(whole.events));
    expect(digestOf(pieces.machine.state)).toBe(digestOf(whole.machine.state));
    expect(pieces.machine.pages.digest()).toBe(whole.machine.pages.digest());
  });

  test('stops at exactly the tick asked for', () => {
    const { machine } = fakeMachine();
    expect(machine.advance({ tick: 1234 })).toEqual({ why: 'until' });
    expect(machine.state.clock.ticks).toBe(1234);
  });

  test('numbers its events without a gap and never runs time backwards', () => {
    const { machine, events } = fakeMachine({ vcpus: 2 });
    machine.advance({ tick: END });
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i));
    expect(events.every(({ tick }, i) => i === 0 || tick >= events[i - 1].tick)).toBe(true);
  });

  test('an exit names its entry as its cause, and user space the exit', () => {
    const { machine, events } = fakeMachine();
    machine.advance({ tick: 500 });
    const exit = events.find(({ event }) => event.kind === 'kvm_exit') as Stamped;
    expect(events[exit.cause as number].event.kind).toBe('kvm_entry');
    const served = events.find(({ event }) => event.kind === 'kvm_run_exit') as Stamped;
    expect(served.cause).toBe(exit.seq);
    expect(served.source).toBe(16);
  });

  test('warps to the next deadline when every vCPU is halted', () => {
    const { machine, events } = fakeMachine();
    machine.advance({ tick: 3000 });
    expect(events.some(({ event }) => event.kind === 'sim:idle_warped')).toBe(true);
    expect(machine.now()).toBe(machine.state.clock.ticks * 8 + machine.state.clock.warpedNs);
    expect(machine.state.clock.warpedNs).toBeGreaterThan(0);
  });

  test('the budget of a run ends at the deadline of a timer', () => {
    const { machine, events } = fakeMachine();
    machine.advance({ tick: 20_000 });
    const fired = events.filter(({ event }) => event.kind === 'sim:timer_fire');
    expect(fired.length).toBeGreaterThan(2);
    for (const { tick, event } of fired) {
      if (event.kind !== 'sim:timer_fire') continue;
      expect(event.deadline - tick * 8).toBeLessThanOrEqual(machine.state.clock.warpedNs + 8);
    }
  });

  test('ends when a device asks for power-off', () => {
    const { machine } = fakeMachine({ inputs: inputQueue([typed('\x1b', { ns: 40_000 })]) });
    expect(machine.advance({})).toEqual({ why: 'ended', ending: { why: 'powered-off', status: 0 } });
    expect(machine.now()).toBe(40_000);
    expect(machine.advance({})).toMatchObject({ why: 'ended' });
  });
});

describe('a checkpoint', () => {
  test('restored, runs on to the same events and digests as never having stopped', () => {
    const straight = fakeMachine({ vcpus: 2 });
    straight.machine.advance({ tick: END });
    const { machine, events } = fakeMachine({ vcpus: 2 });
    machine.advance({ tick: 30_001 });
    const kept = takeCheckpoint(machine);
    machine.advance({ tick: 70_000 });
    restoreCheckpoint(machine, kept);
    expect(machine.state.clock.ticks).toBe(30_001);
    const before = events.filter(({ seq }) => seq < kept.seq).slice(0, kept.seq);
    events.length = 0;
    machine.advance({ tick: END });
    expect(lines([...before, ...events])).toBe(lines(straight.events));
    expect(machine.pages.digest()).toBe(straight.machine.pages.digest());
  });

  test('is not changed by what the machine does next', () => {
    const { machine } = fakeMachine();
    machine.advance({ tick: 5000 });
    const kept = takeCheckpoint(machine);
    const digest = digestOf(kept.state);
    machine.advance({ tick: 50_000 });
    expect(digestOf(kept.state)).toBe(digest);
    expect(Object.isFrozen(kept.state.clock)).toBe(true);
  });

  test('shares with the one before what has not changed', () => {
    const { machine } = fakeMachine();
    machine.advance({ tick: 200 });
    const first = takeCheckpoint(machine);
    machine.advance({ tick: 203 });
    const second = takeCheckpoint(machine, first);
    expect(second.state.random).toBe(first.state.random);
    const before = first.pages[0].flat();
    const shared = second.pages[0].flat().filter((page, at) => page === before[at]);
    expect(shared.length).toBeGreaterThan(10);
  });
});
