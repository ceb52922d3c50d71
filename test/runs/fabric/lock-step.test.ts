import { describe, expect, test } from 'vitest';
import { Inbox } from '../../../src/runs/fabric/inbox.ts';
import { horizonOf, type Link } from '../../../src/runs/fabric/links.ts';
import { type Departure, type Lane, type LanePause, LockStep } from '../../../src/runs/fabric/lock-step.ts';
import { CHANCE } from '../../../src/replay/sources/random.ts';
import type { InputEvent } from '../../../src/machine/parts.ts';

const link = (one: number, other: number, latencyNs: number): Link => ({
  ends: [
    { machine: one, dev: `to ${other}` },
    { machine: other, dev: `to ${one}` },
  ],
  latencyNs,
});

describe('how far a machine may run', () => {
  const star = [link(0, 2, 10), link(1, 2, 10)];

  test('is to where what another sends can reach it, by the shortest way', () => {
    expect(horizonOf(0, [5, 100, 1000], star)).toBe(120);
    expect(horizonOf(0, [5, 100, 105], star)).toBe(115);
    expect(horizonOf(2, [5, 100, 1000], star)).toBe(15);
  });

  test('has no end where nobody else acts, or is at its links', () => {
    expect(horizonOf(0, [5, Infinity, Infinity], star)).toBe(Infinity);
    expect(horizonOf(0, [5, 1], [])).toBe(Infinity);
  });
});

/** A machine of a test: what it does next follows from its number and from what it has heard. */
class Talker implements Lane {
  readonly tickNs = 8;
  readonly isBridge = false;
  readonly awaitsAlarm = false;
  readonly heard: string[] = [];
  private readonly machine: number;
  private readonly peers: readonly number[];
  private readonly seed: string;
  private time = 0;
  private next: number;
  private said = 0;
  readonly inbox = new Inbox({ next: undefined, take: () => undefined });
  private sent: Departure[] = [];

  constructor(seed: string, machine: number, peers: readonly number[]) {
    this.seed = seed;
    this.machine = machine;
    this.peers = peers;
    this.next = this.wait();
  }

  now(): number {
    return this.time;
  }

  ticks(): number {
    return this.time;
  }

  takeDepartures(): readonly Departure[] {
    const { sent } = this;
    this.sent = [];
    return sent;
  }

  runTo(ns: number, gate: { readonly isHeld: boolean }): LanePause {
    while (this.sent.length === 0 && !gate.isHeld) {
      const { next: first } = this.inbox;
      const at = Math.min(this.next, first?.ns ?? Infinity);
      if (at >= ns) return { pause: 'idle', untilNs: this.next };
      this.time = Math.max(this.time, at);
      if (first === undefined || first.ns !== at) this.speak();
      else {
        expect(at).toBe(this.time);
        this.inbox.take();
        this.hear(first.event);
      }
    }
    return { pause: 'slice' };
  }

  private hear(event: InputEvent): void {
    if (event.kind !== 'sim:frame_received') return;
    this.heard.push(`${this.time} ${event.dev} ${[...event.bytes].join('.')}`);
    // Who was asked answers at once.
    if (event.bytes[0] === 1) this.send(event.dev, [0, this.heard.length % 256]);
  }

  private speak(): void {
    this.said += 1;
    const peer = this.peers[this.draw('peer', this.peers.length)]!;
    this.send(`to ${peer}`, [1, this.said % 256]);
    this.next = this.said >= 60 ? Infinity : this.time + this.wait();
  }

  private send(dev: string, bytes: number[]): void {
    const delay = this.draw('delay', 100);
    this.sent.push({ ns: this.time, delay, dev, bytes: Uint8Array.from(bytes), header: new Uint8Array(0) });
  }

  private wait(): number {
    return 8 * (1 + this.draw('wait', 40));
  }

  private draw(what: string, below: number): number {
    return (CHANCE.int32(this.seed, `${what} ${this.machine}`, this.said) >>> 0) % below;
  }
}

/** What each of four machines hears, where somebody holds them at moments a seed says. */
function heardBy(seed: string, holds: string): readonly string[][] {
  const links = [link(0, 1, 24), link(1, 2, 40), link(2, 3, 24), link(3, 0, 80), link(0, 2, 56)];
  const lanes = [0, 1, 2, 3].map(
    (machine) =>
      new Talker(
        seed,
        machine,
        [0, 1, 2, 3].filter((other) =>
          links.some(
            ({ ends: [one, two] }) => [one.machine, two.machine].sort().join() === [machine, other].sort().join(),
          ),
        ),
      ),
  );
  const all = new LockStep(lanes, links);
  let asked = 0;
  const gate = {
    get isHeld() {
      asked += 1;
      return CHANCE.int32(holds, 'hold', asked) >>> 0 < 0x4000_0000;
    },
  };
  for (let standing = all.step(gate); ; standing = all.step(gate)) {
    if (standing.pause === 'idle') break;
  }
  return lanes.map(({ heard }) => heard);
}

test.each(['1', '2', '3', '4', '5'])('what machines hear does not hang on when they are held: seed %s', (seed) => {
  const heard = heardBy(seed, 'never the same');
  expect(heard.flat().length).toBe(4 * 60 * 2);
  expect(heardBy(seed, 'another')).toEqual(heard);
  expect(heardBy(seed, 'a third')).toEqual(heard);
});

/** A machine that does something every `everyNs`, and ends at `endNs`. */
class Ticker implements Lane {
  readonly tickNs = 8;
  readonly isBridge = false;
  awaitsAlarm = false;
  readonly inbox = new Inbox({ next: undefined, take: () => undefined });
  taken = 0;
  private readonly everyNs: number;
  private readonly endNs: number;
  /** What it does are timers that reach nobody. */
  private readonly isMasked: boolean;
  private time = 0;

  constructor(everyNs: number, endNs: number, isMasked = false) {
    this.isMasked = isMasked;
    this.everyNs = everyNs;
    this.endNs = endNs;
  }

  now(): number {
    return this.time;
  }

  ticks(): number {
    return this.isMasked ? 0 : this.time;
  }

  takeDepartures(): readonly Departure[] {
    const { time, endNs } = this;
    return time >= endNs
      ? [{ ns: time, delay: 0, dev: 'to 1', bytes: new Uint8Array(1), header: new Uint8Array(0) }]
      : [];
  }

  runTo(ns: number): LanePause {
    for (;;) {
      const next = Math.min(this.time + this.everyNs, this.inbox.next?.ns ?? Infinity, this.endNs);
      if (next >= ns) return { pause: 'idle', untilNs: next };
      if (this.inbox.next !== undefined) {
        this.inbox.take();
        this.taken += 1;
      }
      this.time = next;
      if (this.time === this.endNs) return { pause: 'ended' };
    }
  }
}

const MS = 1_000_000;

/** How a run of one that ends after 20 ms and one that serves comes to its end. */
function served(everyNs: number, serving: readonly number[]) {
  const lanes = [new Ticker(3 * MS, 20 * MS), new Ticker(everyNs, Infinity)] as const;
  const all = new LockStep(lanes, [link(0, 1, MS)], serving);
  for (let steps = 0; steps < 2000; steps += 1) {
    const { pause } = all.step({ isHeld: false });
    if (pause !== 'slice') return { pause, at: lanes[1].now(), taken: lanes[1].taken };
  }
  return { pause: 'never', at: lanes[1].now(), taken: lanes[1].taken };
}

describe('a machine that serves', () => {
  test('is not waited for, but deals with what was sent to it first', () => {
    const { pause, at, taken } = served(MS, [1]);
    expect({ pause, taken }).toEqual({ pause: 'ended', taken: 1 });
    expect(at).toBeGreaterThanOrEqual(21 * MS);
    expect(at).toBeLessThan(25 * MS);
  });

  test('may have nothing to do any more', () => {
    expect(served(Infinity, [1])).toMatchObject({ pause: 'ended', taken: 1 });
    expect(served(Infinity, [])).toMatchObject({ pause: 'idle' });
  });

  test('that is not said to be one is', () => {
    expect(served(MS, [])).toMatchObject({ pause: 'never' });
  });
});

test('of machines where nothing but timers that reach nobody goes on none is going to wake', () => {
  const sleeper = new Ticker(3 * MS, Infinity, true);
  const all = new LockStep([sleeper, new Ticker(MS, Infinity, true)], [link(0, 1, MS)]);
  let turns = 0;
  while (all.step({ isHeld: false }).pause === 'slice') turns += 1;
  expect(turns).toBe(20_000);
  sleeper.awaitsAlarm = true;
  expect(all.step({ isHeld: false })).toEqual({ pause: 'slice' });
  sleeper.awaitsAlarm = false;
  expect(all.step({ isHeld: false })).toEqual({ pause: 'idle' });
  all.send(0, { kind: 'sim:frame_received', dev: 'to 1', bytes: new Uint8Array(1) });
  expect(all.step({ isHeld: false })).toEqual({ pause: 'slice' });
});
