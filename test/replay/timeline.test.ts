import { describe, expect, test } from 'vitest';
import type { Stamped } from '../../src/events/stamped.ts';
import { digestOf } from '../../src/base/digest.ts';
import { type Checkpoint, takeCheckpoint } from '../../src/machine/checkpoint.ts';
import { PAGE_SIZE } from '../../src/memory/pages.ts';
import { type CheckpointStore, checkpointStore, thinned } from '../../src/replay/checkpoint-store.ts';
import { createTimeline } from '../../src/replay/timeline.ts';
import { countingMachine } from '../machine/counting.ts';
import { inputQueue, typed } from '../machine/pc.ts';

const END = 80_000;

function timelineOfTyping(every = 5000, heldBytes?: number) {
  const events: Stamped[] = [];
  const inputs = inputQueue();
  const timeline = createTimeline({
    build: (parts) => countingMachine({ vcpus: 2, ...parts }).machine,
    inputs,
    onEvent: (stamped) => void events.push(stamped),
    every,
    ...(heldBytes === undefined ? {} : { heldBytes }),
  });
  for (let tick = 0; tick < END; tick += 7001) {
    timeline.advance({ tick: Math.min(END, tick) });
    inputs.push(typed(`${tick}`));
  }
  timeline.advance({ tick: END });
  return { timeline, events, inputs };
}

const fingerprint = ({ machine }: { machine: { state: object; pages: { digest(): string } } }): string =>
  `${digestOf(machine.state)} ${machine.pages.digest()}`;

describe('a timeline', () => {
  test('stands at the same state whichever way it came to a tick', () => {
    const { timeline } = timelineOfTyping();
    const there = new Map<number, string>();
    for (const tick of [END, 71_234, 3, 40_000, 39_999, 0, 12_345, END]) {
      timeline.seek(tick);
      expect(timeline.now.tick).toBe(tick);
      const mark = fingerprint(timeline);
      expect(there.get(tick) ?? mark).toBe(mark);
      there.set(tick, mark);
    }
    for (const [tick, mark] of there) {
      timeline.seek(tick);
      expect(fingerprint(timeline)).toBe(mark);
    }
  });

  test('records nothing twice, and what is run again comes out as it did', () => {
    const { timeline, events } = timelineOfTyping();
    const recorded = events.slice();
    timeline.seek(1000);
    const again: Stamped[] = [];
    timeline.watching(
      (stamped) => void again.push(stamped),
      () => timeline.advance({ tick: END }),
    );
    expect(events).toEqual(recorded);
    expect(again.length).toBeGreaterThan(1000);
    expect(again).toEqual(recorded.slice(-again.length));
  });

  test('goes on beyond its end after a visit to the past as if there had been none', () => {
    const straight = timelineOfTyping();
    straight.timeline.advance({ tick: END + 20_000 });
    const visited = timelineOfTyping();
    visited.timeline.seek(100);
    visited.timeline.seek(END);
    visited.timeline.advance({ tick: END + 20_000 });
    expect(visited.events).toEqual(straight.events);
    expect(fingerprint(visited.timeline)).toBe(fingerprint(straight.timeline));
  });

  test('steps back to the very states it stepped forward through', () => {
    const { timeline } = timelineOfTyping();
    timeline.seek(60_000);
    const forward: string[] = [];
    for (let i = 0; i < 200; i += 1) {
      forward.push(fingerprint(timeline));
      timeline.advance({ tick: timeline.now.tick + 1 });
    }
    for (let i = 199; i >= 0; i -= 1) {
      timeline.seek(60_000 + i);
      expect(fingerprint(timeline)).toBe(forward[i]);
    }
  });

  test('stands just after any event it is asked for, in the state it had then', () => {
    const { timeline, events } = timelineOfTyping();
    const there = new Map<number, string>();
    for (let i = 0; i < 60; i += 1) {
      const { seq, tick } = events[(i * 7919) % events.length]!;
      const now = timeline.seek({ seq: seq + 1, tick });
      expect(now.seq).toBeGreaterThan(seq);
      expect(now.tick - tick).toBeLessThanOrEqual(1);
      if (events[seq]!.event.kind === 'kvm_entry') expect(now).toEqual({ seq: seq + 1, tick });
      expect(timeline.seek(now)).toEqual(now);
      there.set(seq, fingerprint(timeline));
    }
    for (const [seq, mark] of there) {
      timeline.seek({ seq: seq + 1, tick: events[seq]!.tick });
      expect(fingerprint(timeline)).toBe(mark);
    }
  });

  test('holds no more memory than it may, and still finds its way', () => {
    const free = timelineOfTyping(500).timeline;
    const tight = timelineOfTyping(500, 700_000).timeline;
    expect(free.heldBytes).toBeGreaterThan(700_000);
    expect(tight.heldBytes).toBeLessThanOrEqual(700_000);
    for (const tick of [100, 70_000, 33_333]) {
      free.seek(tick);
      tight.seek(tick);
      expect(fingerprint(tight)).toBe(fingerprint(free));
      expect(tight.heldBytes).toBeLessThanOrEqual(700_000);
    }
    expect(tight.checkpoints[0]!.tick).toBe(0);
  });

  test('counts at least the bytes of every page and list its checkpoints hold', () => {
    const kept: Checkpoint[] = [];
    const { machine } = countingMachine();
    let store: CheckpointStore | undefined;
    for (let tick = 0; tick < 40_000; tick += 500) {
      machine.advance({ tick });
      const checkpoint = takeCheckpoint(machine, kept.at(-1));
      kept.push(checkpoint);
      store ??= checkpointStore(checkpoint, { every: 500, bytes: 300_000 });
      if (tick % 1500 === 0) store.leave(checkpoint, tick);
      else if (tick > 0) store.keep(checkpoint);
      const held = [...store.kept, ...store.near];
      const pages = new Set(held.flatMap(({ pages: image }) => image.flat(2)));
      const blocks = new Set(held.flatMap(({ pages: image }) => image.flat(1)));
      const bytes = [...pages].reduce((sum, page) => sum + page.length, 0);
      const lists = [...blocks].reduce((sum, block) => sum + block.length * 8, 0);
      expect(store.bytes).toBeGreaterThanOrEqual(bytes + lists - PAGE_SIZE);
      expect(store.bytes).toBeLessThanOrEqual(300_000);
    }
    expect(kept.length).toBeGreaterThan((store?.kept.length ?? 0) + (store?.near.length ?? 0));
  });

  test('forgets what came after and takes another future', () => {
    const { timeline, inputs, events } = timelineOfTyping();
    timeline.seek(30_000);
    timeline.forget();
    inputs.push(typed('another'));
    const before = events.length;
    timeline.advance({ tick: 40_000 });
    const fresh = events.slice(before).filter(({ event }) => event.kind === 'sim:serial_received');
    expect(fresh.length).toBeGreaterThan(0);
    expect(fresh[0]!.tick).toBe(30_000);
  });

  test('keeps a number of checkpoints that grows with the logarithm of the run', () => {
    let kept: { tick: number }[] = [{ tick: 0 }];
    const sizes: number[] = [];
    for (let tick = 1; tick <= 16_384; tick += 1) {
      kept = thinned([...kept, { tick }], 1);
      if (Math.log2(tick) % 1 === 0) sizes.push(kept.length);
    }
    expect(kept[0]!.tick).toBe(0);
    expect(sizes.at(-1)).toBeLessThan(700);
    expect((sizes.at(-1) as number) - (sizes.at(-2) as number)).toBeLessThanOrEqual(64);
    expect(kept.at(-1)!.tick - kept.at(-2)!.tick).toBe(1);
    const holes = kept.slice(1).map(({ tick }, at) => (tick - kept[at]!.tick) / (16_384 - kept[at]!.tick));
    expect(Math.max(...holes.slice(0, -64))).toBeLessThanOrEqual(1 / 16);
  });
});
