import { describe, expect, test } from 'vitest';
import type { Stamped } from '../../src/events/stamped.ts';
import { digestOf } from '../../src/base/digest.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { fold } from '../../src/replay/fold.ts';
import { openTrace, readAll } from '../../src/replay/trace/reader.ts';
import { traceInputs } from '../../src/replay/trace/trace-inputs.ts';
import { createVerifier, recordedInputs, replayTo } from '../../src/replay/verify.ts';
import { againOptions, type FakeRun, fakeEngine, fakeMachine, inputQueue, typed } from '../reducers/fakes.ts';
import { inflate, sourceOf, traceOf } from './trace/sample.ts';

const END = 60_000;
const VCPUS = 2;

/** A run of somebody who types now and then, at moments nobody chose. */
function liveRun(): FakeRun {
  const inputs = inputQueue();
  const run = fakeMachine({ vcpus: VCPUS, inputs });
  let stop = 0;
  for (let i = 0; stop < END; i += 1) {
    stop += 1000 + ((i * 7919) % 3001);
    run.machine.advance({ tick: Math.min(stop, END) });
    if (i % 3 === 0) inputs.push(typed(`k${i}`));
    if (i % 5 === 0) inputs.push(typed('timed', { ns: run.machine.now() + 12_345 }));
  }
  // Stop between two events, not within a VM entry.
  run.machine.advance({ seq: run.machine.state.schedule.seq + 50 });
  return run;
}

function again(events: readonly Stamped[]) {
  const verifier = createVerifier(events);
  const { machine } = fakeMachine({ vcpus: VCPUS, ...againOptions(events, verifier) });
  return { machine, ...replayTo(machine, events, verifier) };
}

describe('replay', () => {
  const live = liveRun();

  test('raises every recorded event again, inputs typed at any moment included', () => {
    expect(live.events.filter(({ event }) => event.kind === 'sim:serial_received').length).toBeGreaterThan(5);
    const { agreed, divergence, machine } = again(live.events);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(agreed).toBe(live.events.length);
    expect(digestOf(machine.state.vmm)).toBe(digestOf(live.machine.state.vmm));
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
    for (const stamped of [...events.slice(700, 900), ...events.slice(100, 200)]) verifier.check(stamped);
    expect(verifier).toMatchObject({ agreed: 300, divergence: undefined });
    verifier.check({ ...(events[450] as Stamped), tick: -1 });
    expect(verifier.divergence).toMatchObject({ seq: 450, field: 'tick', replayed: -1 });
  });

  test('delivers the inputs of a trace file at the same events, ticks and times as those of the events', () => {
    const trace = openTrace(sourceOf(traceOf(live.events)), inflate);
    const source = recordedInputs(live.events);
    const inputs = traceInputs(trace, live.events.length, 8);
    expect(inputs.length).toBeGreaterThan(10);
    for (const input of inputs) expect(source.peek(input.seq as number)).toEqual(input);
    expect(source.peek((inputs.at(-1)?.seq ?? 0) + 1)).toBeUndefined();
    const half = traceInputs(trace, 4096, 8);
    expect(half).toEqual(inputs.filter(({ seq = 0 }) => seq < 4096));
  });

  test('finds a difference that only memory shows, by its digest', () => {
    const verifier = createVerifier(live.events);
    const { machine } = fakeMachine({ vcpus: VCPUS, ...againOptions(live.events, verifier) });
    machine.engine.writeHost(5000, Uint8Array.of(255));
    expect(replayTo(machine, live.events, verifier).divergence).toMatchObject({ field: 'event.memory' });
  });
});

describe('fold', () => {
  const live = liveRun();
  const build = (parts: Parameters<Parameters<typeof fold>[1]>[0]) => fakeMachine({ vcpus: VCPUS, ...parts }).machine;

  test('rebuilds the state without running the guest', () => {
    const { machine, divergence, agreed } = fold(live.events, build);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(agreed).toBe(live.events.length);
    expect(machine!.engine).not.toHaveProperty('run', fakeEngine);
    expect(digestOf(machine!.state.kvm)).toBe(digestOf(live.machine.state.kvm));
    expect(digestOf(machine!.state.vmm)).toBe(digestOf(live.machine.state.vmm));
    expect(machine!.state.schedule.seq).toBe(live.machine.state.schedule.seq);
  });

  test('stops where a cut trace ends', () => {
    const part = live.events.slice(0, 700);
    expect(fold(part, build)).toMatchObject({ agreed: 700, divergence: undefined });
  });

  test('names the event where the hypervisor asks for what the processor did not answer', () => {
    const at = live.events.findIndex(({ event }) => event.kind === 'sim:guest_stopped' || event.kind === 'kvm_exit');
    const wrong = live.events.toSpliced(at, 1, {
      ...live.events[at],
      event: { kind: 'sim:task_switched', vcpu_id: 0, outcome: 'done', vector: 0, error_code: 0, address: 0n },
    });
    const { divergence } = fold(wrong, build);
    expect(divergence).toMatchObject({ seq: live.events[at].seq, recorded: 'sim:task_switched' });
  });
});
