import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { restoreCheckpoint, takeCheckpoint } from '../../src/machine/checkpoint.ts';
import { differenceOf } from '../../src/reducers/seal.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { fold } from '../../src/replay/fold.ts';
import { rerun } from '../../src/replay/rerun.ts';
import { createVerifier, recordedInputs, replayTo } from '../../src/replay/verify.ts';
import { inputQueue, typed } from '../machine/pc.ts';
import { GIVEN, scriptedMachine, scriptedMade, scriptedRun } from '../machine/scripted.ts';

test.each([1, 3])('an input is replayed where it was, also right behind a digest: one every %i events', (every) => {
  const recorded: Stamped[] = [];
  const typing = Array.from({ length: 10 }, (_, at) => typed('x', { ns: 20_000 * (at + 1) }));
  const onEvent = (stamped: Stamped): void => void recorded.push(stamped);
  scriptedMachine(1, { inputs: inputQueue(typing), onEvent, eventsPerDigest: every }).advance({ tick: 30_000 });
  const behind = recorded.filter(({ event }, at) => {
    return event.kind === 'sim:serial_received' && recorded[at - 1]?.event.kind === 'sim:digest';
  });
  expect(behind.length).toBeGreaterThan(0);
  const verifier = createVerifier(recorded);
  const again = { inputs: recordedInputs(recorded), onEvent: verifier.check, eventsPerDigest: every };
  const { divergence, agreed } = replayTo(scriptedMachine(1, again), recorded, verifier);
  expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
  expect(agreed).toBe(recorded.length);
});

describe.each([1, 3])('the hypervisor and the devices of a pc with %i vCPUs', (smp) => {
  const live = scriptedRun(smp);

  test('are exercised by the script: many kinds of events are raised', () => {
    const kinds = new Set(live.events.map(({ event }) => event.kind));
    expect([...kinds].length).toBeGreaterThan(100);
    expect(live.events.length).toBeGreaterThan(8000);
    expect(GIVEN.filter(({ event }) => !kinds.has(event.kind))).toEqual([]);
    const entered = live.events.flatMap(({ event }) => (event.kind === 'kvm_entry' ? [event.vcpu_id] : []));
    expect(new Set(entered).size).toBe(smp);
  });

  test('replay to the same events and digests', () => {
    const verifier = createVerifier(live.events);
    const machine = scriptedMachine(smp, { inputs: recordedInputs(live.events), onEvent: verifier.check });
    const { divergence, agreed } = replayTo(machine, live.events, verifier);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(agreed).toBe(live.events.length);
  });

  test('fold from recorded events alone to the same state', () => {
    const { state, difference, events, digests } = fold(live.events, scriptedMade(smp));
    expect(difference).toBeUndefined();
    expect(events).toBe(live.events.length);
    expect(digests).toBe(live.events.filter(({ event }) => event.kind === 'sim:digest').length);
    expect(differenceOf(state, live.machine.state)).toBeUndefined();
    expect(digestOf(state)).toBe(digestOf(live.machine.state));
  });

  test('decide the same when they run again on what the processor answered', () => {
    const { machine, divergence, agreed } = rerun(live.events, (parts) => scriptedMachine(smp, parts));
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(agreed).toBe(live.events.length);
    expect(differenceOf(machine!.state, live.machine.state)).toBeUndefined();
  });

  test('restored from a checkpoint anywhere, run on to the same events', () => {
    const again: Stamped[] = [];
    const machine = scriptedMachine(smp, {
      inputs: recordedInputs(live.events),
      onEvent: (stamped) => void again.push(stamped),
    });
    for (const tick of [10_000, 33_333, 60_007, 99_999]) {
      machine.advance({ tick });
      const kept = takeCheckpoint(machine);
      machine.advance({ tick: tick + 15_000 });
      restoreCheckpoint(machine, kept);
      again.splice(kept.seq);
    }
    machine.advance({ seq: live.events.length });
    const at = again.findIndex((stamped, i) => i < live.events.length && stamped.tick !== live.events[i]!.tick);
    expect(at).toBe(-1);
    const verifier = createVerifier(live.events);
    for (const stamped of again) verifier.check(stamped);
    expect(verifier.divergence === undefined ? '' : describeDivergence(verifier.divergence)).toBe('');
  });
});
