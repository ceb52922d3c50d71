import { describe, expect, test } from 'vitest';
import { lazyEvents } from '../../../src/replay/trace/lazy-events.ts';
import { openTrace, readAll } from '../../../src/replay/trace/reader.ts';
import { inflate, sampleEvents, sourceOf, traceOf } from './sample.ts';

const EVENTS = 30_000;
const trace = openTrace(sourceOf(traceOf(sampleEvents(EVENTS))), inflate);
const { events } = lazyEvents(trace);
const all = readAll(trace).events;

describe('lazy events', () => {
  test('are those the trace holds, in order and at random', () => {
    expect(events.length).toBe(EVENTS);
    expect([...events]).toEqual(all);
    for (const index of [0, 29_999, 4096, 4095, 17, 12_345, 8191]) expect(events[index]).toEqual(all[index]);
    expect(events[EVENTS]).toBeUndefined();
  });

  test("answer Array's own questions", () => {
    expect(events.slice(4090, 4100)).toEqual(all.slice(4090, 4100));
    expect(events.at(-1)).toEqual(all.at(-1));
    expect(events.filter(({ event }) => event.kind === 'kvm_exit').length).toBe(
      all.filter(({ event }) => event.kind === 'kvm_exit').length,
    );
  });

  test('end where the trace is damaged, with the reason', () => {
    const bytes = traceOf(sampleEvents(EVENTS));
    bytes[Math.floor(bytes.length / 2)]! ^= 0x55;
    const damaged = lazyEvents(openTrace(sourceOf(bytes), inflate));
    expect(damaged.events.length).toBeLessThan(EVENTS);
    expect(damaged.events.length).toBeGreaterThan(0);
    expect(damaged.damage).toMatch(/damaged|checksum/);
  });
});
