import { createHash } from 'node:crypto';
import type { EngineOptions, GuestEngine } from '../../src/engine/index.ts';
import type { ExecutionControls } from '../../src/kvm/guest.ts';
import { engineWith, NO_EVENT, registersOf } from './long-mode.ts';

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

/** The engine under observation, and what it told so far. */
interface Watched {
  engine: GuestEngine;
  ticks: number;
  readonly facts: string[];
}

function watch(subject: Subject): Watched {
  const watched: Watched = { engine: undefined as unknown as GuestEngine, ticks: 0, facts: [] };
  watched.engine = engineFor(subject, watched);
  subject.prepare(watched.engine);
  return watched;
}

function engineFor({ hostBytes, controls }: Subject, watched: Watched): GuestEngine {
  const options: Pick<EngineOptions, 'random' | 'onTableWrite' | 'hostTsc'> = {
    hostTsc: () => BigInt(watched.ticks * 16),
    random(ticks) {
      watched.facts.push(`random at ${watched.ticks + ticks}`);
      return BigInt(watched.facts.length) * 0x0123_4567_89ab_cdefn;
    },
    onTableWrite: ({ gpa, old, new: now }, _, ticks) =>
      watched.facts.push(`${watched.ticks + ticks}: ${gpa.toString(16)} ${old.toString(16)} ${now.toString(16)}`),
  };
  const engine = engineWith({ hostBytes, ...options });
  engine.addVcpu();
  engine.setControls(0, controls);
  return engine;
}

/** Another engine with the same state. */
function moved(subject: Subject, watched: Watched): GuestEngine {
  const engine = engineFor(subject, watched);
  for (const [index, region] of engine.regions.entries()) {
    const bytes = watched.engine.regions[index]?.bytes() ?? new Uint8Array();
    region.takeDirty();
    region.bytes().set(bytes);
    region.restored(Array.from({ length: Math.ceil(bytes.length / 4096) }, (_, page) => page));
  }
  return engine;
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

/** Run the subject to its first exit or the end of its ticks. */
export function observe(subject: Subject, { cut, drops, moves }: Disturbance = {}): Observed {
  const watched = watch(subject);
  let end = 'budget';
  while (watched.ticks < subject.ticks) {
    const left = subject.ticks - watched.ticks;
    const stop = watched.engine.run(0, Math.min(left, cut?.() ?? left), NO_EVENT);
    watched.ticks += stop.ticks;
    if (stop.why === 'exit') {
      const { reason, qualification, interruptionInfo, guestLinearAddress, guestPhysicalAddress } = stop.exit;
      end = [reason, qualification, interruptionInfo, guestLinearAddress, guestPhysicalAddress].join(' ');
      break;
    }
    if (drops?.() === true) watched.engine.dropCaches();
    if (moves?.() === true) watched.engine = moved(subject, watched);
  }
  const { engine, ticks, facts } = watched;
  const regions = engine.regions.map((region) => `${region.name} ${digestOf(region.bytes())}`);
  return { facts, end, ticks, registers: registersOf(engine), regions };
}
