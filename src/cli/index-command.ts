import { statSync } from 'node:fs';
import { indexTrace } from '../runs/recorded/index-trace.ts';
import { NODE } from '../host/node.ts';
import { progressOf } from '../host/progress.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { openRecordedRun } from '../runs/recorded/recorded-run.ts';
import { checkpointPath } from '../runs/recorded/stored-checkpoints.ts';
import { sayCut } from './cut.ts';
import type { Print } from './trace-commands.ts';

/** How `retrovisor index` is asked to work. */
export interface IndexOptions extends ImagePaths {
  /** Ticks between checkpoints at the beginning of the run. */
  readonly every?: number;
}

const MB = 1e6;

/** `retrovisor index`: leave checkpoints beside a trace. Returns the process status. */
export function index(path: string, options: IndexOptions, print: Print): number {
  const run = openRecordedRun(NODE, path, { ...options, acceptCut: true });
  sayCut(run.trace);
  const progress = progressOf('Replaying');
  const { checkpoints } = indexTrace(run, options.every, progress.at);
  progress.end();
  const file = checkpointPath(path);
  print(`${checkpoints} checkpoints in ${file}, ${(statSync(file).size / MB).toFixed(1)} MB`);
  return 0;
}
