import { restoreCheckpoint, takeCheckpoint } from '../src/machine/checkpoint.ts';
import type { Machine } from '../src/machine/machine.ts';

const REPEATS = 50;
/** Ticks between a checkpoint and the next: what a step back leaves. */
const APART = 1 << 16;

/** Milliseconds, each time. */
export interface CheckpointTimes {
  readonly take: readonly number[];
  readonly restore: readonly number[];
}

export const timed = <T>(what: () => T): readonly [number, T] => {
  const begun = performance.now();
  const result = what();
  return [performance.now() - begun, result];
};

/** Two neighbouring moments, restored in turn; and one taken after each stretch of running. */
export function checkpointTimes(machine: Machine): CheckpointTimes {
  const take: number[] = [];
  const restore: number[] = [];
  let before = takeCheckpoint(machine);
  for (let at = 0; at < REPEATS; at += 1) {
    machine.advance({ tick: machine.ticks + APART });
    const [took, next] = timed(() => takeCheckpoint(machine, before));
    take.push(took);
    restore.push(timed(() => restoreCheckpoint(machine, before))[0]);
    restoreCheckpoint(machine, next);
    before = next;
  }
  return { take, restore };
}
