import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { USUAL_PACE } from '../../src/events/costs.ts';
import { restoreCheckpoint, takeCheckpoint } from '../../src/machine/checkpoint.ts';
import { digestSlices } from '../../src/reducers/slices.ts';
import { eventClock } from '../../src/replay/export/report.ts';
import { countingMachine } from './counting.ts';
import { inputQueue, typed } from './pc.ts';

const END = 100_000;

const line = (stamped: Stamped): string =>
  JSON.stringify(stamped, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));

const lines = (events: readonly Stamped[]): string => events.map(line).join('\n');

const digests = (events: readonly Stamped[]): readonly Stamped[] =>
  events.filter(({ event }) => event.kind === 'sim:digest' || event.kind === 'sim:memory_digest');

describe('the machine loop', () => {
  test('gives the same events for the same seed, and others for another', () => {
    const runOf = (seed: string) => countingMachine({ seed, vcpus: 3 });
    const [a, b, c] = [runOf('1'), runOf('1'), runOf('2')];
    for (const { machine } of [a, b, c]) machine.advance({ tick: END });
    expect(lines(a.events)).toBe(lines(b.events));
    expect(lines(c.events)).not.toBe(lines(a.events));
    expect(digests(a.events).length).toBeGreaterThan(3);
  });

  test('where a caller stops cannot be seen in the run', () => {
    const whole = countingMachine({ vcpus: 2 });
    whole.machine.advance({ tick: END });
    const pieces = countingMachine({ vcpus: 2 });
    for (let tick = 0; tick < END; tick += 313) pieces.machine.advance({ tick: Math.min(END, tick + 313) });
    expect(lines(pieces.events)).toBe(lines(whole.events));
    expect(digestOf(pieces.machine.state)).toBe(digestOf(whole.machine.state));
    expect(pieces.machine.pages.digest()).toBe(whole.machine.pages.digest());
  });

  test('stops at exactly the tick asked for', () => {
    const { machine } = countingMachine();
    expect(machine.advance({ tick: 1234 })).toEqual({ why: 'until' });
    expect(machine.ticks).toBe(1234);
  });

  test('numbers its events without a gap and never runs time backwards', () => {
    const { machine, events } = countingMachine({ vcpus: 2 });
    machine.advance({ tick: END });
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i));
    expect(events.every(({ tick }, i) => i === 0 || tick >= events[i - 1]!.tick)).toBe(true);
    const clock = eventClock(USUAL_PACE);
    const times = events.map((stamped) => clock.ns(stamped));
    expect(times.every((ns, i) => i === 0 || ns >= times[i - 1]!)).toBe(true);
    const ticksSince = machine.ticks - (events.at(-1)?.tick ?? 0);
    expect(machine.now()).toBe((times.at(-1) ?? 0) + ticksSince * 8);
  });

  test('an exit happens within its entry, and what user space does about it within the exit', () => {
    const { machine, events } = countingMachine();
    machine.advance({ tick: 500 });
    const exit = events.find(({ event }) => event.kind === 'kvm_exit') as Stamped;
    expect(events[exit.within as number]!.event.kind).toBe('kvm_entry');
    const served = events.find(({ event }) => event.kind === 'kvm_run_exit') as Stamped;
    const ofServed = events.findLast(({ seq, event }) => seq < served.seq && event.kind === 'kvm_exit');
    expect(served).toMatchObject({ within: ofServed?.seq, cause: ofServed?.seq, source: 16 });
    const written = events.find(({ seq, event }) => seq > served.seq && event.kind === 'memory_region_ops_write');
    expect(written).toMatchObject({ within: ofServed?.seq, source: 16 });
  });

  test('an interrupt leads back to what asked for it, however long ago that was', () => {
    const { machine, events } = countingMachine({ inputs: inputQueue([typed('a', { ns: 400_000 })]) });
    machine.advance({ tick: 60_000 });
    const chainOf = (stamped: Stamped): string[] => {
      const kinds: string[] = [];
      for (let at: Stamped | undefined = stamped; at !== undefined; at = events[at.cause ?? -1])
        kinds.push(at.event.kind);
      return kinds;
    };
    const injected = (vector: number) =>
      events.find(({ event }) => event.kind === 'kvm_inj_virq' && event.vector === vector) as Stamped;
    const ofTimer = chainOf(injected(0x40));
    // Armed by the guest's own WRMSR.
    expect(ofTimer.slice(ofTimer.indexOf('sim:timer_fire'))).toEqual(
      expect.arrayContaining(['sim:timer_fire', 'sim:timer_arm', 'kvm_exit']),
    );
    const ofKey = chainOf(injected(0x24));
    expect(ofKey.at(-1)).toBe('sim:serial_received');
    expect(ofKey).toContain('kvm_set_irq');
    expect(ofKey).not.toContain('kvm_exit');
  });

  test('warps to the next deadline when every vCPU is halted', () => {
    const { machine, events } = countingMachine();
    machine.advance({ tick: 3000 });
    const fired = new Set(events.flatMap(({ event }) => (event.kind === 'sim:timer_fire' ? [event.deadline] : [])));
    const warps = events.flatMap(({ event }) => (event.kind === 'sim:idle_warped' ? [event] : []));
    expect(warps.length).toBeGreaterThan(1);
    expect(warps.filter(({ to }) => !fired.has(to))).toEqual([]);
    expect(machine.now()).toBe(machine.ticks * 8 + machine.state.clock.warpedNs);
    expect(machine.state.clock.warpedNs).toBeGreaterThan(0);
  });

  test('an exit and a trip to user space take what the machine was made with', () => {
    const costs = { ...USUAL_PACE.costs, exit: 1000, 'user-exit': 30_000 };
    const { machine, events } = countingMachine({ costs });
    machine.advance({ tick: 3000 });
    const count = (kind: string): number => events.filter(({ event }) => event.kind === kind).length;
    const warps = events.flatMap(({ event }) => (event.kind === 'sim:idle_warped' ? [event.to - event.from] : []));
    const warped = warps.reduce((sum, ns) => sum + ns, 0);
    expect(count('kvm_userspace_exit')).toBeGreaterThan(5);
    expect(count('kvm_exit')).toBeGreaterThan(count('kvm_userspace_exit'));
    const spent = 1000 * count('kvm_exit') + 30_000 * count('kvm_userspace_exit');
    expect(machine.now()).toBe(machine.ticks * 8 + warped + spent);
    const clock = eventClock({ nsPerTick: 8, costs });
    const last = events.map((stamped) => clock.ns(stamped)).at(-1) ?? 0;
    expect(last).toBe(machine.now() - (machine.ticks - (events.at(-1)?.tick ?? 0)) * 8);
  });

  test('the budget of a run ends at the deadline of a timer', () => {
    const { machine, events } = countingMachine({ vcpus: 4 });
    machine.advance({ tick: 40_000 });
    const clock = eventClock(USUAL_PACE);
    const late = events.flatMap((stamped) => {
      const ns = clock.ns(stamped);
      return stamped.event.kind === 'sim:timer_fire' ? [ns - stamped.event.deadline] : [];
    });
    expect(late.length).toBeGreaterThan(20);
    // Never later than the tick in which it was due, and the exit that took the guest out of its run, to user space.
    const { exit, 'user-exit': trip } = USUAL_PACE.costs;
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...late)).toBeLessThan(8 + exit + trip);
    expect(late.filter((ns) => ns >= exit).length).toBeGreaterThan(5);
  });

  test('knows the next deadline, whatever armed a timer or stopped it', () => {
    const { machine } = countingMachine({ vcpus: 3 });
    const earliest = (): number => {
      const { kvm, vmm } = machine.state;
      return Math.min(...[...Object.values(kvm.timers), ...Object.values(vmm.timers)].map(({ deadline }) => deadline));
    };
    const kept = takeCheckpoint(machine);
    const seen = new Set<number>();
    for (let tick = 0; tick < 40_000; tick += 313) {
      machine.advance({ tick });
      expect(machine.nextDeadline()).toBe(earliest());
      seen.add(machine.nextDeadline());
    }
    expect(seen.size).toBeGreaterThan(20);
    restoreCheckpoint(machine, kept);
    expect(machine.nextDeadline()).toBe(earliest());
  });

  test('delivers an input at its time, in the middle of an idle one too, and ends when a device turns it off', () => {
    const quiet = countingMachine();
    quiet.machine.advance({ tick: 3000 });
    const asleep = quiet.events.flatMap(({ event }) => (event.kind === 'sim:idle_warped' ? [event] : [])).at(-1)!;
    const ns = asleep.from + 777;
    const { machine, events } = countingMachine({ inputs: inputQueue([typed('\x1b', { ns })]) });
    expect(machine.advance({})).toEqual({ why: 'ended', ending: { why: 'powered-off', status: 0 } });
    expect(events).toContainEqual(
      expect.objectContaining({ event: { kind: 'sim:idle_warped', from: asleep.from, to: ns } }),
    );
    const received = events.findIndex(({ event }) => event.kind === 'sim:serial_received');
    expect(events[received - 1]!.event.kind).toBe('sim:idle_warped');
    expect(machine.advance({})).toMatchObject({ why: 'ended' });
  });

  test('a run that is over closes with digests of everything, once', () => {
    const { machine, events } = countingMachine({ inputs: inputQueue([typed('\x1b', { ns: 100_000 })]) });
    machine.advance({});
    machine.advance({});
    const [memory, last] = events.slice(-2).map(({ event }) => event);
    expect(memory).toEqual({ kind: 'sim:memory_digest', memory: machine.pages.digest() });
    expect(last).toEqual({ kind: 'sim:digest', slices: digestSlices(machine.state) });
  });
});

describe('a checkpoint', () => {
  test('restored, runs on to the same events and digests as never having stopped', () => {
    const straight = countingMachine({ vcpus: 2 });
    straight.machine.advance({ tick: END });
    const { machine, events } = countingMachine({ vcpus: 2 });
    machine.advance({ tick: 30_001 });
    const kept = takeCheckpoint(machine);
    machine.advance({ tick: 70_000 });
    restoreCheckpoint(machine, kept);
    expect(machine.ticks).toBe(30_001);
    const before = events.slice(0, kept.seq);
    events.length = 0;
    machine.advance({ tick: END });
    expect(lines([...before, ...events])).toBe(lines(straight.events));
    expect(machine.pages.digest()).toBe(straight.machine.pages.digest());
  });

  test('is not changed by what the machine does next', () => {
    const { machine } = countingMachine();
    machine.advance({ tick: 5000 });
    const kept = takeCheckpoint(machine);
    const digest = digestOf(kept.state);
    machine.advance({ tick: 50_000 });
    expect(digestOf(kept.state)).toBe(digest);
    expect(Object.isFrozen(kept.state.clock)).toBe(true);
  });

  test('shares with the one before what has not changed', () => {
    const { machine } = countingMachine();
    machine.advance({ tick: 200 });
    const first = takeCheckpoint(machine);
    machine.advance({ tick: 203 });
    const second = takeCheckpoint(machine, first);
    expect(second.state.vmm).toBe(first.state.vmm);
    expect(second.state.kvm.vm).toBe(first.state.kvm.vm);
    const before = first.pages[0]!.flat();
    const shared = second.pages[0]!.flat().filter((page, at) => page === before[at]);
    expect(shared.length).toBeGreaterThan(10);
  });
});
