import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { digestOf } from '../../src/base/digest.ts';
import type { Device } from '../../src/devices/device.ts';
import { PCI_TESTDEV_REDUCER, type PciTestdevState, pciTestdev } from '../../src/devices/pci-testdev/index.ts';
import { USUAL_PACE } from '../../src/events/costs.ts';
import { MAIN_LOOP, type Stamped, vcpuSource } from '../../src/events/stamped.ts';
import type { EventKind, EventOf } from '../../src/events/vocabulary.ts';
import { restoreCheckpoint, takeCheckpoint } from '../../src/machine/checkpoint.ts';
import type { Until } from '../../src/machine/loop.ts';
import { differenceOf } from '../../src/reducers/seal.ts';
import { describeDivergence } from '../../src/replay/divergence.ts';
import { eventClock } from '../../src/replay/export/report.ts';
import { fold } from '../../src/replay/fold.ts';
import { rerun } from '../../src/replay/rerun.ts';
import { createVerifier, recordedInputs, replayTo } from '../../src/replay/verify.ts';
import { inputQueue, typed } from './pc.ts';
import {
  choose,
  ENDED,
  HALTED,
  kick,
  PLACED,
  POLLED,
  type Signalling,
  signallingMachine,
  signallingMade,
  spin,
} from './signalling.ts';
import { LONG } from '../how-long.ts';

/** Elements a signal brings in these tests. */
const ELEMENTS = 3;

// A pci-testdev whose guest sees in the count how often a thread came with a signal: QEMU's shows it to nobody.
const hears = PCI_TESTDEV_REDUCER.notified;
const device: Pick<Device<PciTestdevState>, 'notified'> = pciTestdev;
beforeAll(() => {
  vi.spyOn(PCI_TESTDEV_REDUCER, 'notified').mockImplementation((dev, id) => {
    hears?.(dev, id);
    dev.counts[id]! += 1;
  });
  device.notified = (_dev, _id, effects) => {
    effects.commit();
    return ELEMENTS;
  };
});
afterAll(() => {
  vi.restoreAllMocks();
  delete device.notified;
});

const { costs } = USUAL_PACE;
const WAKE = costs['main-loop-wake'];

interface Told<K extends EventKind> extends Stamped<EventOf<K>> {
  readonly ns: number;
}

/** Far more than any takes. */
const MOST = { tick: 30_000 };

function ran(run: Signalling, until: Until = MOST) {
  const { machine, events } = signallingMachine(run);
  const reason = machine.advance(until);
  const clock = eventClock({ nsPerTick: 8, costs: run.costs ?? costs });
  const timed = events.map((stamped) => ({ ...stamped, ns: clock.ns(stamped) }));
  const of = <K extends EventKind>(kind: K) => timed.filter(({ event }) => event.kind === kind) as unknown as Told<K>[];
  return { machine, events, reason, of };
}

describe('the main loop', () => {
  const polling = { code: [...PLACED, ...choose(1), ...kick(1), ...POLLED, ...ENDED] };

  test('acts on a signal once it has woken, because of the write that made it', () => {
    const { events, of } = ran(polling);
    const [signal] = of('sim:eventfd_signal');
    const [woken] = of('sim:thread_woken');
    const [notified] = of('sim:device_notified');
    expect(signal).toMatchObject({ source: vcpuSource(0) });
    expect(events[signal!.cause!]?.event).toMatchObject({ kind: 'kvm_exit', exit_reason: 30 });
    expect(woken).toMatchObject({ cause: signal!.seq, event: { thread: MAIN_LOOP, at: signal!.ns + WAKE } });
    expect(notified).toMatchObject({ source: MAIN_LOOP, cause: signal!.seq, within: undefined, event: { id: 4 } });
    const late = notified!.ns - (signal!.ns + WAKE);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThan(8 + costs.exit + costs['user-exit']);
    const until = notified!.ns + costs.handler + ELEMENTS * costs.element;
    expect(of('sim:thread_ran')).toMatchObject([{ cause: signal!.seq, event: { elements: ELEMENTS, until } }]);
  });

  test('lets the guest run on meanwhile, which sees by polling what came of its signal, once that has come', () => {
    const { machine, of, reason } = ran(polling);
    expect(reason).toMatchObject({ why: 'ended', ending: { why: 'exit' } });
    const [signal] = of('sim:eventfd_signal');
    const reads = of('memory_region_ops_read').filter(({ event, seq }) => event.addr === 0xc00c && seq > signal!.seq);
    const [seen, ...rest] = reads.reverse();
    expect(seen?.event.value).toBe(1);
    expect(seen?.ns).toBeGreaterThanOrEqual(signal!.ns + WAKE);
    expect(rest.length).toBeGreaterThan(0);
    expect(rest.filter(({ event }) => event.value !== 0)).toEqual([]);
    expect(Number(machine.engine.registers(0).gpr(3))).toBe(reads.length);
  });

  test('is no part of a read: only it takes signals, however often the registers are read', () => {
    const { of } = ran(polling);
    expect(of('sim:eventfd_consume').map(({ source, event }) => [source, event.n])).toEqual([[MAIN_LOOP, 1]]);
  });

  test('takes signals that came while it slept at once, and those of each eventfd for themselves', () => {
    const kicks = [...kick(1), ...kick(1), ...choose(1, 'memory'), ...kick(1, 'memory')];
    const wake = { costs: { ...costs, 'main-loop-wake': 40_000 } };
    const { of } = ran({ code: [...PLACED, ...choose(1), ...kicks, ...spin(8000), ...ENDED], ...wake });
    expect(of('sim:eventfd_consume').map(({ event }) => event.n)).toEqual([2, 1]);
    expect(of('sim:device_notified').map(({ event }) => event.id)).toEqual([4, 1]);
    expect(new Set(of('sim:eventfd_bound').map(({ event }) => event.fd)).size).toBe(2);
    expect(of('sim:thread_woken').length).toBe(1);
    // One piece of work at a time: the second when the first is done.
    const [first, second] = of('sim:thread_ran');
    expect(second!.ns).toBeGreaterThanOrEqual(first!.event.until);
    expect(second!.ns).toBeLessThan(first!.event.until + 8 + costs.exit);
    const [, , third] = of('sim:eventfd_signal');
    expect(second!.cause).toBe(third!.seq);
  });

  test('that is still busy needs not be woken', () => {
    const busy = { costs: { ...costs, handler: 100_000 } };
    const code = [...PLACED, ...choose(1), ...kick(1), ...spin(3000), ...kick(1), ...spin(16_000), ...ENDED];
    const { of } = ran({ code, ...busy });
    const [first, second] = of('sim:thread_ran');
    const [, woken] = of('sim:thread_woken');
    expect(woken?.event.at).toBe(first!.event.until);
    expect(second!.ns).toBeGreaterThanOrEqual(first!.event.until);
  });

  test('works on when every vCPU is halted for good', () => {
    const { machine, of } = ran({ code: [...PLACED, ...choose(2), ...kick(2), ...HALTED] }, { ns: 1_000_000 });
    expect(machine.state.kvm.vcpus[0]!.mpState).not.toBe(0);
    const [signal] = of('sim:eventfd_signal');
    expect(of('sim:device_notified').map(({ ns }) => ns)).toEqual([signal!.ns + WAKE]);
    expect(machine.state.schedule.threads.at(-1)).toMatchObject({ kind: 'main-loop', actsAt: undefined, work: [] });
  });

  test('hears nothing of a write that does not match, nor of one that no longer is an eventfd', () => {
    const unmatched = [...PLACED, ...choose(2), ...kick(1), ...choose(0), ...kick(2), ...spin(2000), ...ENDED];
    expect(ran({ code: unmatched }).of('sim:eventfd_signal')).toEqual([]);
  });
});

describe('what a worker does', () => {
  const code = [
    ...PLACED,
    ...choose(1),
    ...kick(1),
    ...spin(50),
    ...kick(1),
    ...choose(2, 'memory'),
    ...kick(2, 'memory'),
    ...spin(2000),
    ...kick(2, 'memory'),
    ...POLLED,
    ...ENDED,
  ];
  const inputs = () => inputQueue([typed('a', { ns: 30_000 }), typed('b', { ns: 34_500 })]);
  let live: ReturnType<typeof ran>;
  beforeAll(() => {
    live = ran({ code, inputs: inputs() });
  });

  test('is exercised', () => {
    expect(live.of('sim:thread_ran').length).toBeGreaterThan(2);
    expect(live.of('sim:serial_received').length).toBe(2);
  });

  test('is replayed, folded and rerun to the same', () => {
    const verifier = createVerifier(live.events);
    const again = signallingMachine({ code, inputs: recordedInputs(live.events), onEvent: verifier.check });
    const { divergence, agreed } = replayTo(again.machine, live.events, verifier);
    expect(divergence === undefined ? '' : describeDivergence(divergence)).toBe('');
    expect(agreed).toBe(live.events.length);
    const folded = fold(live.events, signallingMade({ code }));
    expect(folded.difference).toBeUndefined();
    expect(folded.digests).toBeGreaterThan(3);
    expect(differenceOf(folded.state, live.machine.state)).toBeUndefined();
    const rerunning = rerun(live.events, (parts) => signallingMachine({ code, ...parts }).machine);
    expect(rerunning.divergence === undefined ? '' : describeDivergence(rerunning.divergence)).toBe('');
    expect(rerunning.agreed).toBe(live.events.length);
  });

  test('goes on from a checkpoint at any moment as it went', LONG, () => {
    const { machine } = signallingMachine({ code, inputs: inputs() });
    const kept = takeCheckpoint(machine);
    const woken: number[] = [];
    for (const { seq } of live.of('sim:thread_woken')) woken.push(seq + 1);
    for (const { seq } of live.of('sim:thread_ran')) woken.push(seq, seq + 1);
    for (const seq of woken) {
      const queue = inputQueue();
      const { machine: other, events } = signallingMachine({ code, inputs: queue });
      restoreCheckpoint(other, kept);
      const from = events.length;
      for (const { event, ns } of live.of('sim:serial_received')) queue.push({ event, ns });
      other.advance({ seq });
      const middle = takeCheckpoint(other);
      restoreCheckpoint(other, middle);
      other.advance(MOST);
      expect(events.slice(from).map(({ event }) => event)).toEqual(
        live.events.slice(kept.seq).map(({ event }) => event),
      );
      expect(digestOf(other.state)).toBe(digestOf(live.machine.state));
    }
  });

  test('does not depend on where a caller stops', () => {
    const { machine, events } = signallingMachine({ code, inputs: inputs() });
    for (let ns = 0; ns < live.machine.now(); ns += 777) machine.advance({ ns });
    machine.advance(MOST);
    expect(events.map(({ seq, tick, event }) => [seq, tick, event])).toEqual(
      live.events.map(({ seq, tick, event }) => [seq, tick, event]),
    );
  });

  test('is the same for one of several processors', () => {
    const two = ran({ code: [...PLACED, ...choose(1), ...kick(1), ...POLLED, ...ENDED], smp: 2 });
    expect(two.reason).toMatchObject({ why: 'ended' });
    expect(two.of('sim:thread_ran').length).toBe(1);
    expect(two.machine.state.schedule.threads.map(({ source }) => source)).toEqual([16, 17, MAIN_LOOP]);
  });
});
