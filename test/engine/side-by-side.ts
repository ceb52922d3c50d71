import { createHash } from 'node:crypto';
import seedrandom from 'seedrandom';
import { expect } from 'vitest';
import type { EngineOptions, GuestEngine } from '../../src/engine/index.ts';
import type { ExecutionControls } from '../../src/x86/guest.ts';
import { engineWith, HLT, NO_EVENT, registersOf } from './long-mode.ts';

/** A guest to be run several times: its memory and registers, and how far. */
export interface Subject {
  readonly hostBytes: number;
  readonly ticks: number;
  readonly controls: ExecutionControls;
  prepare(engine: GuestEngine): void;
}

/** How a run is disturbed. Nothing given: it is one run of one engine. */
export interface Disturbance {
  /** Ticks to the next cut. */
  readonly cut?: () => number;
  /** At a cut: drop all caches. */
  readonly drops?: () => boolean;
  /** At a cut: go on in another engine, which is given the bytes that are state. */
  readonly moves?: () => boolean;
}

/** What can be told of a run. */
export interface Observed {
  readonly facts: readonly string[];
  readonly end: string;
  readonly ticks: number;
  readonly registers: readonly bigint[];
  /** Digest of each region of state. */
  readonly regions: readonly string[];
}

/** A run under observation. */
interface Watched {
  ticks: number;
  readonly facts: string[];
}

/** An engine that serves one run after the other. */
interface Bench {
  readonly engine: GuestEngine;
  watched: Watched;
}

const NOBODY: Watched = { ticks: 0, facts: [] };
const free = new Map<number, Bench[]>();

function newBench(hostBytes: number): Bench {
  const options: Pick<EngineOptions, 'random' | 'onTableWrite' | 'hostTsc'> = {
    hostTsc: () => BigInt(bench.watched.ticks * 16),
    random(before) {
      const { facts, ticks } = bench.watched;
      facts.push(`random at ${ticks + before}`);
      return BigInt(facts.length) * 0x0123_4567_89ab_cdefn;
    },
    onTableWrite({ gpa, old, new: now }, _, after) {
      const { facts, ticks } = bench.watched;
      facts.push(`${ticks + after}: ${gpa.toString(16)} ${old.toString(16)} ${now.toString(16)}`);
    },
  };
  const bench: Bench = { engine: engineWith({ hostBytes, ...options }), watched: NOBODY };
  bench.engine.addVcpu();
  return bench;
}

/** An engine whose state is that of another one, or all zeros. */
function benchFor({ hostBytes, controls }: Subject, watched: Watched, state?: GuestEngine): Bench {
  const bench = free.get(hostBytes)?.pop() ?? newBench(hostBytes);
  bench.watched = watched;
  for (const [index, region] of bench.engine.regions.entries()) {
    const bytes = region.bytes();
    region.takeDirty();
    if (state === undefined) bytes.fill(0);
    else bytes.set(state.regions[index]?.bytes() ?? []);
    region.restored(Array.from({ length: Math.ceil(bytes.length / 4096) }, (_, page) => page));
  }
  if (state === undefined) bench.engine.resetVcpu(0, 'reset');
  bench.engine.setControls(0, controls);
  return bench;
}

function putAway(bench: Bench, { hostBytes }: Subject): void {
  bench.watched = NOBODY;
  free.set(hostBytes, [...(free.get(hostBytes) ?? []), bench]);
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

/** Run the subject to its first exit or the end of its ticks. */
export function observe(subject: Subject, { cut, drops, moves }: Disturbance = {}): Observed {
  const watched: Watched = { ticks: 0, facts: [] };
  let bench = benchFor(subject, watched);
  subject.prepare(bench.engine);
  let end = 'budget';
  while (watched.ticks < subject.ticks) {
    const left = subject.ticks - watched.ticks;
    const stop = bench.engine.run(0, Math.min(left, cut?.() ?? left), NO_EVENT);
    watched.ticks += stop.ticks;
    if (stop.why === 'exit') {
      const { reason, qualification, interruptionInfo, guestLinearAddress, guestPhysicalAddress } = stop.exit;
      end = [reason, qualification, interruptionInfo, guestLinearAddress, guestPhysicalAddress].join(' ');
      break;
    }
    if (drops?.() === true) bench.engine.dropCaches();
    if (moves?.() !== true) continue;
    const next = benchFor(subject, watched, bench.engine);
    putAway(bench, subject);
    bench = next;
  }
  const { ticks, facts } = watched;
  const regions = bench.engine.regions.map((region) => `${region.name} ${digestOf(region.bytes())}`);
  const registers = registersOf(bench.engine);
  putAway(bench, subject);
  return { facts, end, ticks, registers, regions };
}

const always = (): boolean => true;
const one = (): number => 1;
const random = seedrandom.alea('cache independence');

const DISTURBANCES: Readonly<Record<string, Disturbance>> = {
  'a cut after every tick': { cut: one },
  'caches dropped after every tick': { cut: one, drops: always },
  'another engine after every tick': { cut: one, moves: always },
  'a cut here and there': { cut: () => 1 + Math.floor(random() * 7) },
};

/** The undisturbed run; every disturbed one is equal to it. */
export function undisturbed(what: Subject): Observed {
  const whole = observe(what);
  for (const [name, how] of Object.entries(DISTURBANCES)) expect(observe(what, how), name).toEqual(whole);
  return whole;
}

/** The run came to a HLT. */
export const endedInHlt = ({ end }: Observed): boolean => end.startsWith(`${HLT} `);
