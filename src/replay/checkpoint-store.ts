import type { Seq, Tick } from '../base/units.ts';
import type { Checkpoint } from '../machine/checkpoint.ts';
import { eachDifference, type PageImage, ZERO_PAGE } from '../memory/pages.ts';

/** Checkpoints of one run in order of tick, and the memory they hold. */
export interface CheckpointStore {
  /** Left behind by work done, oldest first. The first is the run's beginning and stays. */
  readonly kept: readonly Checkpoint[];
  /** Left on the way to where somebody stood. */
  readonly near: readonly Checkpoint[];
  /** Bytes of all pages, each counted once or more, and of the lists that name them: never less than what is held. */
  readonly bytes: number;
  /** Keep one more by work done; the older ones are thinned. */
  keep(checkpoint: Checkpoint): void;
  /** Keep one more on the way to `cursor`; those far from it go first. */
  leave(checkpoint: Checkpoint, cursor: number): void;
  /** The latest at or before a tick. */
  before(tick: Tick): Checkpoint;
  /** Forget what lies after a place. */
  dropAfter(seq: Seq, tick: Tick): void;
}

/** What a store may hold. */
export interface CheckpointLimits {
  /** Ticks between checkpoints left by work done. */
  readonly every: number;
  /** Most bytes to hold. The run's beginning is held whatever it takes. */
  readonly bytes: number;
}

/** Checkpoints near a place somebody stood. */
const NEAR_MAX = 24;

/** Sealed state of a machine, about; it shares most with its neighbour. */
const STATE_BYTES = 64 * 1024;
const POINTER_BYTES = 8;

interface Entry {
  readonly checkpoint: Checkpoint;
  readonly isNear: boolean;
  /** Bytes its predecessor does not share. */
  own: number;
}

/** A store with the run's first moment in it. */
export function checkpointStore(first: Checkpoint, limits: CheckpointLimits): CheckpointStore {
  let entries: Entry[] = [];
  const only = (isNear: boolean): Checkpoint[] =>
    entries.flatMap((entry) => (entry.isNear === isNear ? [entry.checkpoint] : []));
  const total = (): number => entries.reduce((sum, { own }) => sum + own, 0);
  const add = (checkpoint: Checkpoint, isNear: boolean): void => {
    const after = entries.findIndex((entry) => entry.checkpoint.tick > checkpoint.tick);
    const at = after < 0 ? entries.length : after;
    entries.splice(at, 0, { checkpoint, isNear, own: 0 });
    weigh(entries, at);
    weigh(entries, at + 1);
  };
  const retain = (isWanted: (entry: Entry) => boolean): void => {
    entries = withOnly(entries, isWanted);
  };
  add(first, false);
  return {
    get kept() {
      return only(false);
    },
    get near() {
      return only(true);
    },
    get bytes() {
      return total();
    },
    keep(checkpoint) {
      add(checkpoint, false);
      const stay = new Set(thinned(only(false), limits.every));
      retain((entry) => entry.isNear || stay.has(entry.checkpoint));
      while (total() > limits.bytes && entries.length > 1) entries = withoutOne(entries, checkpoint.tick);
    },
    leave(checkpoint, cursor) {
      add(checkpoint, true);
      if (only(true).length > NEAR_MAX) entries = withoutFarthest(entries, cursor);
      while (total() > limits.bytes && entries.length > 1) entries = withoutOne(entries, cursor);
    },
    before: (tick) => latestAtOrBefore(entries, tick),
    dropAfter: (seq, tick) => retain(({ checkpoint }) => checkpoint.seq <= seq && checkpoint.tick <= tick),
  };
}

function latestAtOrBefore(entries: readonly Entry[], tick: Tick): Checkpoint {
  let low = 1;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as Entry).checkpoint.tick <= tick) low = middle + 1;
    else high = middle;
  }
  return (entries[low - 1] as Entry).checkpoint;
}

/** Checkpoints kept each time the distance from the newest doubles, at least half as many. */
const PER_DOUBLING = 64;

/**
 * Keep the first and ever fewer with age: their number grows with the logarithm of the run. The run is cut into equal
 * spans, longer ones for what is older, and the earliest checkpoint of each stays. Longer spans are made of whole
 * shorter ones, so that thinning again and again leaves no hole.
 */
export function thinned<C extends { readonly tick: Tick }>(checkpoints: readonly C[], every: number): C[] {
  const newest = checkpoints[checkpoints.length - 1]!.tick;
  const kept: C[] = [];
  for (const checkpoint of checkpoints) {
    const { tick } = checkpoint;
    const strides = Math.max(1, (newest - tick) / PER_DOUBLING / every);
    const span = every * 2 ** Math.floor(Math.log2(strides));
    const before = kept[kept.length - 1]?.tick ?? -1;
    if (before < 0 || Math.floor(before / span) !== Math.floor(tick / span)) kept.push(checkpoint);
  }
  return kept;
}

/** Take some away and weigh those whose predecessor changed. */
function withOnly(entries: readonly Entry[], isWanted: (entry: Entry) => boolean): Entry[] {
  const left: Entry[] = [];
  const changed: number[] = [];
  let isMissing = false;
  for (const entry of entries) {
    if (!isWanted(entry)) {
      isMissing = true;
      continue;
    }
    if (isMissing) changed.push(left.length);
    isMissing = false;
    left.push(entry);
  }
  for (const at of changed) weigh(left, at);
  return left;
}

/** Over the cap: what lies near another place goes first, then whatever leaves the smallest hole for its age. */
function withoutOne(entries: readonly Entry[], cursor: number): Entry[] {
  if (entries.some(({ isNear }) => isNear)) return withoutFarthest(entries, cursor);
  const newest = (entries[entries.length - 1] as Entry).checkpoint.tick;
  let victim = entries.length - 1;
  let least = Number.POSITIVE_INFINITY;
  for (let at = 1; at < entries.length - 1; at += 1) {
    const hole = (entries[at + 1] as Entry).checkpoint.tick - (entries[at - 1] as Entry).checkpoint.tick;
    const age = newest - (entries[at] as Entry).checkpoint.tick + 1;
    if (hole / age >= least) continue;
    least = hole / age;
    victim = at;
  }
  return withOnly(entries, (entry) => entry !== entries[victim]);
}

function withoutFarthest(entries: readonly Entry[], cursor: number): Entry[] {
  let farthest: Entry | undefined;
  const distance = ({ checkpoint }: Entry): number => Math.abs(checkpoint.tick - cursor);
  for (const entry of entries) {
    if (entry.isNear && (farthest === undefined || distance(entry) > distance(farthest))) farthest = entry;
  }
  return withOnly(entries, (entry) => entry !== farthest);
}

function weigh(entries: readonly Entry[], at: number): void {
  const entry = entries[at];
  if (entry === undefined) return;
  entry.own = STATE_BYTES + ownBytes(entry.checkpoint.pages, entries[at - 1]?.checkpoint.pages);
}

/** Bytes of the pages and blocks another image does not share. */
function ownBytes(pages: PageImage, before: PageImage | undefined): number {
  let bytes = 0;
  for (const [index, region] of pages.entries()) {
    const shared = before?.[index];
    for (const [at, block] of region.entries()) {
      // Blocks that are the same one are there once.
      const isOwn = block !== shared?.[at] && block !== region[at - 1];
      if (isOwn) bytes += block.length * POINTER_BYTES;
    }
    eachDifference(region, shared, (_, page) => {
      if (page !== ZERO_PAGE) bytes += page.length;
    });
  }
  return bytes;
}
