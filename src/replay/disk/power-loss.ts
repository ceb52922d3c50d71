/** What a disk holds whose power failed: all that a flush made durable, and of what came after it what chance left. */
import { SECTOR } from '../../base/units.ts';
import type { Chance } from '../../machine/parts.ts';
import type { SparseBytes } from '../../memory/sparse.ts';
import { apply, type Change, type Unflushed } from './drive-contents.ts';

/** A disk after its power failed. */
export interface AfterPowerLoss {
  readonly content: SparseBytes;
  /** Changes that are all there, not there at all, or there in some of their sectors. */
  readonly kept: number;
  readonly lost: number;
  readonly torn: number;
}

const STREAM = 'power loss';
/** One in so many of the changes that reached the disk did so in part. */
const TORN_ONE_IN = 4;
const HALF = 0.5;

/** Numbers from 0 to below 1 of a seed. */
function drawing({ int32 }: Chance, seed: string): () => number {
  let n = 0;
  return () => {
    n += 1;
    return (int32(seed, STREAM, n) >>> 0) / 2 ** 32;
  };
}

/**
 * Lose the power: a disk writes what is in its cache in whatever order it likes, so each change is there or not
 * whatever became of the others, and one that was under way is there by sectors. How far it had come is drawn first:
 * a disk that had written nearly all of it is as likely as one that had written next to nothing.
 */
export function losePower({ durable, changes }: Unflushed, chance: Chance, seed: string): AfterPowerLoss {
  const draw = drawing(chance, seed);
  const content = durable.copy();
  const count = { kept: 0, lost: 0, torn: 0 };
  const share = draw();
  for (const change of changes) {
    if (draw() >= share) count.lost += 1;
    else if (change.length > SECTOR && draw() < 1 / TORN_ONE_IN) {
      count.torn += 1;
      tear(content, change, draw);
    } else {
      count.kept += 1;
      apply(content, change);
    }
  }
  return { content, ...count };
}

/** Some of its sectors. */
function tear(content: SparseBytes, { seq, offset, length, bytes }: Change, draw: () => number): void {
  for (let at = 0; at < length; at += SECTOR) {
    if (draw() < HALF) continue;
    const size = Math.min(SECTOR, length - at);
    apply(content, { seq, offset: offset + at, length: size, bytes: bytes?.subarray(at, at + size) });
  }
}

/** What became of the changes that were not durable, in words. */
export function fateText({ kept, lost, torn }: AfterPowerLoss): string {
  const all = kept + lost + torn;
  if (all === 0) return 'Every write was durable: nothing is lost.';
  return `Writes that were not durable: ${all}, of which ${kept} kept, ${lost} lost, ${torn} torn.`;
}
