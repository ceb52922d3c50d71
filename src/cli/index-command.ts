import { statSync } from 'node:fs';
import { indexTrace } from '../runs/recorded/index-trace.ts';
import { NODE } from '../host/node.ts';
import { attend } from '../host/attend.ts';
import { hearInterrupt } from '../host/interrupt.ts';
import { type ImagePaths, openRecordedRun } from '../runs/recorded/recorded-run.ts';
import { checkpointPath } from '../runs/recorded/stored-checkpoints.ts';
import type { Print } from './trace-commands.ts';

/** How `retrovisor index` is asked to work. */
export interface IndexOptions extends ImagePaths {
  /** Ticks between checkpoints at the beginning of the run. */
  readonly every?: number;
}

const MB = 1e6;
const INTERRUPTED = 130;

/** `retrovisor index`: leave checkpoints beside a trace. Resolves to the process status. */
export async function index(path: string, options: IndexOptions, print: Print): Promise<number> {
  const interrupt = hearInterrupt();
  try {
    const work = indexTrace(openRecordedRun(NODE, path, options), options.every);
    const indexed = await attend(work, 'Replaying', () => interrupt.isAsked);
    if (!indexed.isDone) {
      process.stderr.write('retrovisor: stopped; no checkpoints were left.\n');
      return INTERRUPTED;
    }
    const file = checkpointPath(path);
    print(`${indexed.value.checkpoints} checkpoints in ${file}, ${(statSync(file).size / MB).toFixed(1)} MB`);
    return 0;
  } finally {
    interrupt.close();
  }
}
