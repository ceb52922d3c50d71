import { statSync } from 'node:fs';
import { onOneLine } from '../base/printable.ts';
import { indexTrace } from '../runs/recorded/index-trace.ts';
import { jointAt } from '../host/trace-source.ts';
import { NODE } from '../host/node.ts';
import { attend } from '../host/attend.ts';
import { complain } from '../host/output.ts';
import { hearInterrupt, type Interrupt } from '../host/interrupt.ts';
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

/** `retrovisor index`: leave checkpoints beside a trace, of each machine of several. Resolves to the process status. */
export async function index(path: string, options: IndexOptions, print: Print): Promise<number> {
  const names = jointAt(path)?.machines.map(({ name }) => `${path}:${name}`) ?? [path];
  const interrupt = hearInterrupt();
  let status = 0;
  try {
    for (const name of names) {
      const indexed = await indexOne(name, options, { print, interrupt });
      if (indexed === undefined) return statusOf('SIGINT');
      status = Math.max(status, indexed);
    }
    return status;
  } finally {
    interrupt.close();
  }
}

/** The status; undefined: somebody stopped it. */
async function indexOne(
  path: string,
  options: IndexOptions,
  { print, interrupt }: { readonly print: Print; readonly interrupt: Interrupt },
): Promise<number | undefined> {
  const run = openRecordedRun(NODE, path, { ...options, acceptCut: true });
  try {
    const status = statusOfRun(run);
    const indexed = await attend(indexTrace(run, options.every), 'Replaying', () => interrupt.isAsked);
    if (!indexed.isDone) {
      complain('stopped; no checkpoints were left.');
      return undefined;
    }
    const file = checkpointPath(path);
    print(
      `${indexed.value.checkpoints} checkpoints in ${onOneLine(file)}, ${(statSync(file).size / MB).toFixed(1)} MB`,
    );
    return status;
  } finally {
    run.trace.close();
  }
}
