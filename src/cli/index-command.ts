import { statSync } from 'node:fs';
import { onOneLine } from '../base/printable.ts';
import { indexTrace } from '../runs/recorded/index-trace.ts';
import { NODE } from '../host/node.ts';
import { attend } from '../host/attend.ts';
import { complain } from '../host/output.ts';
import { hearInterrupt } from '../host/interrupt.ts';
import { statusOf } from '../host/terminal.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { openRecordedRun } from '../runs/recorded/recorded-run.ts';
import { checkpointPath } from '../runs/recorded/stored-checkpoints.ts';
import { statusOfRun } from './cut.ts';
import type { Print } from './trace-commands.ts';

/** How `retrovisor index` is asked to work. */
export interface IndexOptions extends ImagePaths {
  /** Ticks between checkpoints at the beginning of the run. */
  readonly every?: number;
}

const MB = 1e6;

/** `retrovisor index`: leave checkpoints beside a trace. Resolves to the process status. */
export async function index(path: string, options: IndexOptions, print: Print): Promise<number> {
  const interrupt = hearInterrupt();
  try {
    const run = openRecordedRun(NODE, path, { ...options, acceptCut: true });
    const status = statusOfRun(run);
    const work = indexTrace(run, options.every);
    const indexed = await attend(work, 'Replaying', () => interrupt.isAsked);
    if (!indexed.isDone) {
      complain('stopped; no checkpoints were left.');
      return statusOf('SIGINT');
    }
    const file = checkpointPath(path);
    print(
      `${indexed.value.checkpoints} checkpoints in ${onOneLine(file)}, ${(statSync(file).size / MB).toFixed(1)} MB`,
    );
    return status;
  } finally {
    interrupt.close();
  }
}
