import { spawnSync } from 'node:child_process';
import { NODE } from '../../src/host/node.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { type CheckpointTimes, checkpointTimes } from '../checkpoint-times.ts';
import { ticksOfLoads } from '../events-by-load.ts';

/** Checkpoints taken and restored while the guest's load of this name runs, once a recording of it is made. */
export async function checkpointsDuring(
  name: string,
  command: readonly string[],
  trace: string,
): Promise<CheckpointTimes> {
  const { status, stderr } = spawnSync(process.execPath, [...command, '--trace', trace], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`The guest ended with status ${status}: ${stderr}`);
  const begun = (await ticksOfLoads(trace)).get(name)!;
  const { timeline } = openTimeline(openRecordedRun(NODE, trace, {}));
  timeline.seek(begun);
  return checkpointTimes(timeline.machine);
}
