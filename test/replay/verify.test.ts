import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import { USUAL_PACE } from '../../src/events/costs.ts';
import type { Stamped } from '../../src/events/stamped.ts';
import { differenceOf } from '../../src/reducers/seal.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { fold } from '../../src/replay/fold.ts';
import { rerun } from '../../src/replay/rerun.ts';
import { openTrace, readAll } from '../../src/replay/trace/reader.ts';
import { traceInputs } from '../../src/replay/trace/trace-inputs.ts';
import { createVerifier, recordedInputs, replayTo } from '../../src/replay/verify.ts';
import { againOptions, type CountingRun, countingMade, countingMachine } from '../machine/counting.ts';
import { inputQueue, typed } from '../machine/pc.ts';
import { inflate, sourceOf, traceOf } from './trace/sample.ts';

const END = 60_000;
const VCPUS = 2;

/** A run of somebody who types now and then, at moments nobody chose. */
function liveRun(): CountingRun {
  const inputs = inputQueue();
  const run = countingMachine({ vcpus: VCPUS, inputs });
  let stop = 0;
  for (let i = 0; stop < END; i += 1) {
    stop += 1000 + ((i * 7919) % 3001);
    run.machine.advance({ tick: Math.min(stop, END) });
    if (i % 3 === 0) inputs.push(typed(`k${i}`));
    if (i % 5 === 0) inputs.push(typed('timed', { ns: run.machine.now() + 12_345 }));
  }
  // Stop between two events, not within a VM entry.
  run.machine.advance({ seq: run.machine.seq + 50 });
  return run;
}

function again(events: readonly Stamped[]) {
  const verifier = createVerifier(events);
  const { machine } = countingMachine({ vcpus: VCPUS, ...againOptions(events, verifier) });
  return { machine, ...replayTo(machine, events, verifier) };
}

describe('replay', () => {
  const live = liveRun();

  test('raises every recorded event again, inputs typed at any moment included', () => {
    expect(live.events.filter(({ event }) => event.kind === 'sim:serial_received').length).toBeGreaterThan(5);
    const { agreed, divergence, machine } = again(live.events);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(agreed).toBe(live.events.length);
    expect(digestOf(machine.state)).toBe(digestOf(live.machine.state));
    expect(machine.pages.digest()).toBe(live.machine.pages.digest());
  });

  test('delivers what was typed just before or after a digest, and at any other event, where it was', () => {
    const inputs = inputQueue();
    const run = countingMachine({ vcpus: VCPUS, inputs });
    const places = new Map<string, number>();
    const note = (place: string): void => void places.set(place, (places.get(place) ?? 0) + 1);
    while (run.machine.ticks < END / 2.5) {
      run.machine.advance({ tick: run.machine.ticks + 1 + (run.machine.seq % 5), seq: run.machine.seq + 1 });
      const last = run.events.at(-1)?.event.kind;
      const left = 2000 - (run.machine.seq % 2000);
      if (left === 2000) note('before a digest');
      if (last === 'sim:memory_digest') note('after a digest of memory');
      // Each key moves those after it by some events: one of them comes just before the digest.
      if (left === 2000 || left < 24 || last === 'sim:memory_digest') inputs.push(typed('k'));
    }
    expect(places.get('before a digest')).toBeGreaterThan(0);
    expect(places.get('after a digest of memory')).toBeGreaterThan(0);
    const { agreed, divergence } = again(run.events);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(agreed).toBe(run.events.length);
  });

  test('goes through a trace file', () => {
    const { events } = readAll(openTrace(sourceOf(traceOf(live.events)), inflate));
    expect(again(events)).toMatchObject({ agreed: live.events.length, divergence: undefined });
  });

  test('names the first event and field in which it differs', () => {
    const at = live.events.findIndex(({ event, seq }) => event.kind === 'kvm_exit' && seq > 500);
    const changed = live.events.map((stamped, i) =>
      i === at ? { ...stamped, event: { ...stamped.event, a0: 77n } as Stamped['event'] } : stamped,
    );
    const { divergence, agreed } = again(changed);
    expect(agreed).toBe(at);
    expect(divergence).toMatchObject({ seq: at, field: 'event.a0', recorded: 77n });
    const text = describeDivergence(divergence!);
    expect(text).toMatch(/differs from the trace at event \d+, tick \d+, in event\.a0: recorded 0x4d, replayed 0x/);
    expect(text).toMatch(/\n {2}- .*kvm_exit.*\n {2}\+ .*kvm_exit/);
  });

  test('compares each event with its own, in whatever order stretches of the run are seen', () => {
    const { events } = live;
    const verifier = createVerifier(events);
    for (const stamped of [...events.slice(7000, 9000), ...events.slice(100, 200)]) verifier.check(stamped);
    expect(verifier).toMatchObject({ agreed: 2100, divergence: undefined });
    verifier.check({ ...(events[450] as Stamped), tick: -1 });
    expect(verifier.divergence).toMatchObject({ seq: 450, field: 'tick', replayed: -1 });
  });

  test('delivers the inputs of a trace file at the same events, ticks and times as those of the events', () => {
    const trace = openTrace(sourceOf(traceOf(live.events)), inflate);
    const source = recordedInputs(live.events);
    const inputs = traceInputs(trace, live.events.length, USUAL_PACE);
    expect(inputs.length).toBeGreaterThan(10);
    for (const input of inputs) expect(source.peek(input.seq as number)).toEqual(input);
    expect(source.peek((inputs.at(-1)?.seq ?? 0) + 1)).toBeUndefined();
    const part = traceInputs(trace, 8192, USUAL_PACE);
    expect(part.length).toBeGreaterThan(3);
    expect(part.length).toBeLessThan(inputs.length);
    expect(part).toEqual(inputs.filter(({ seq = 0 }) => seq < 8192));
  });

  test('finds a difference that only memory shows, by its digest', () => {
    const verifier = createVerifier(live.events);
    const { machine } = countingMachine({ vcpus: VCPUS, ...againOptions(live.events, verifier) });
    machine.engine.writeHost(0x1ff00, Uint8Array.of(255));
    expect(replayTo(machine, live.events, verifier).divergence).toMatchObject({ field: 'event.memory' });
  });
});

describe('fold', () => {
  const live = liveRun();
  const made = countingMade(VCPUS);

  test('rebuilds the state without a processor and without whoever decided', () => {
    const folded = fold(live.events, made);
    expect(folded).toMatchObject({ events: live.events.length, difference: undefined });
    expect(folded.digests).toBeGreaterThan(3);
    expect(differenceOf(folded.state, live.machine.state)).toBeUndefined();
    expect(digestOf(folded.state)).toBe(digestOf(live.machine.state));
  });

  test('stops where a cut trace ends, in the state of that moment', () => {
    const part = live.events.slice(0, 7000);
    const { machine } = countingMachine({ vcpus: VCPUS, inputs: recordedInputs(live.events) });
    machine.advance({ seq: 7000 });
    const folded = fold(part, made);
    expect(folded).toMatchObject({ events: 7000, difference: undefined });
    const upTo = fold(live.events.slice(0, machine.seq), made);
    expect(differenceOf(upTo.state, machine.state)).toBeUndefined();
  });

  test('names the slices in which a changed or a missing event shows, at the next digest', () => {
    const at = live.events.findIndex(({ event }, i) => event.kind === 'kvm_apic' && event.reg === 0x320 && i > 0);
    const other = { ...live.events[at]!, event: { ...live.events[at]!.event, val: 0x40041n } as Stamped['event'] };
    const next = live.events.find(({ seq, event }) => seq > at && event.kind === 'sim:digest') as Stamped;
    const { difference, events } = fold(live.events.with(at, other), made);
    expect(difference).toEqual({ seq: next.seq, tick: next.tick, slices: ['lapic0'] });
    expect(events).toBe(next.seq + 1);
    const exit = live.events.findIndex(({ event }, i) => event.kind === 'kvm_exit' && i > next.seq);
    const missing = fold(live.events.toSpliced(exit, 1), made);
    expect(missing.difference?.slices).toContain('clock');
  });
});

describe('rerun', () => {
  const live = liveRun();
  const build = (parts: Parameters<Parameters<typeof rerun>[1]>[0]) =>
    countingMachine({ vcpus: VCPUS, ...parts }).machine;

  test('runs hypervisor and devices again on what the processor answered', () => {
    const { machine, divergence, agreed } = rerun(live.events, build);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(agreed).toBe(live.events.length);
    expect(machine!.engine.regions).toEqual([]);
    expect(differenceOf(machine!.state, live.machine.state)).toBeUndefined();
  });

  test('stops where a cut trace ends', () => {
    const part = live.events.slice(0, 7000);
    expect(rerun(part, build)).toMatchObject({ agreed: 7000, divergence: undefined });
  });

  test('names the event where the hypervisor asks for what the processor did not answer', () => {
    const at = live.events.findIndex(({ event, seq }) => seq > 3000 && event.kind === 'kvm_exit');
    const answer = { outcome: 'done', vector: 0, error_code: 0, address: 0n, rip: 0n, rflags: 2, interruptibility: 0 };
    const wrong = live.events.with(at, {
      ...live.events[at]!,
      event: { kind: 'sim:task_switched', vcpu_id: 0, ...answer },
    });
    expect(rerun(wrong, build).divergence).toMatchObject({ seq: live.events[at]!.seq, recorded: 'sim:task_switched' });
  });

  test('names what is decided otherwise', () => {
    const at = live.events.findIndex(({ event, seq }) => seq > 3000 && event.kind === 'kvm_inj_virq');
    const wrong = live.events.with(at, {
      ...live.events[at]!,
      event: { ...live.events[at]!.event, vector: 0x41 } as Stamped['event'],
    });
    const { divergence, agreed } = rerun(wrong, build);
    expect(divergence).toMatchObject({ seq: at, field: 'event.vector', recorded: 0x41, replayed: 0x40 });
    expect(agreed).toBe(at);
  });
});
