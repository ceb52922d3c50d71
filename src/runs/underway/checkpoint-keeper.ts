import { type Checkpoint, takeCheckpoint } from '../../machine/checkpoint.ts';
import type { Machine } from '../../machine/machine.ts';
import { traceInputs } from '../../replay/trace/trace-inputs.ts';
import { readDescription } from '../machine/machine-description.ts';
import { createCheckpointFile, strideAt } from '../recorded/stored-checkpoints.ts';
import { openTraceFile } from '../recorded/trace-file.ts';
import type { World } from '../world.ts';

/** Fewer than an index has: a boot rewrites its memory so often that more would cost a quarter of the recording. */
const TICKS_BETWEEN_RECORDED = 1 << 25;

/** Leaves checkpoints beside a trace as a run goes. */
export interface CheckpointKeeper {
  /** Tick at which the next is due: the machine is to stop there. */
  readonly due: number;
  keepWhenDue(): void;
  /** The trace is written. */
  finish(): void;
}

/** Start with a machine that has just been built. */
export function keepCheckpoints(world: World, trace: string, machine: Machine): CheckpointKeeper {
  let latest: Checkpoint = takeCheckpoint(machine);
  const file = createCheckpointFile(world, trace, latest);
  const due = (): number => latest.tick + strideAt(latest.tick, TICKS_BETWEEN_RECORDED);
  return {
    get due() {
      return due();
    },
    keepWhenDue() {
      if (machine.ticks < due()) return;
      latest = takeCheckpoint(machine, latest);
      file.add(latest);
    },
    finish() {
      const reader = openTraceFile(world, trace);
      try {
        file.finish(traceInputs(reader, reader.eventCount, readDescription(reader.header.machine, trace)));
      } finally {
        reader.close();
      }
    },
  };
}
