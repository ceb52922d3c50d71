/** A drive of a recorded run that a command asks about. */
import type { Work } from '../base/work.ts';
import { attend } from '../host/attend.ts';
import { hearInterrupt } from '../host/interrupt.ts';
import { NODE } from '../host/node.ts';
import { complain } from '../host/output.ts';
import { describeDivergence } from '../replay/divergence.ts';
import { driveNamed } from '../replay/disk/drives.ts';
import type { ImagePaths } from '../runs/machine/images.ts';
import { openRecordedRun, openTimeline, type RecordedTimeline } from '../runs/recorded/recorded-run.ts';
import type { DriveConfig } from '../vmm/config.ts';
import { statusOfRun } from './cut.ts';
import { DIVERGED } from './statuses.ts';

/** What is asked about. */
export interface DriveAsked {
  readonly path: string;
  readonly options: ImagePaths & { readonly drive?: string };
}

/** A drive of a run that can be run again. */
export interface OpenedDrive {
  readonly recorded: RecordedTimeline;
  readonly drive: DriveConfig;
  /** Files that the run is made from. */
  readonly kept: readonly string[];
  /** Of the trace, as far as it is known to be damaged. */
  readonly status: number;
}

/** Do something with a drive of a trace, and close it. A run that does not come out as recorded is told of. */
export async function withDrive(
  { path, options }: DriveAsked,
  act: (opened: OpenedDrive) => Promise<number>,
): Promise<number> {
  const run = openRecordedRun(NODE, path, { ...options, acceptCut: true });
  try {
    const drive = driveNamed(run.description.drives, options.drive);
    const status = statusOfRun(run);
    const recorded = openTimeline(run, { onStoredProblem: complain });
    const kept = [path, ...(run.disks?.files ?? []).map(({ name }) => name)];
    const done = await act({ recorded, drive, kept, status });
    const { divergence } = recorded.verifier;
    if (divergence !== undefined) complain(describeDivergence(divergence));
    return divergence === undefined ? done : DIVERGED;
  } finally {
    run.trace.close();
  }
}

/** Do work that somebody may stop; undefined: they did. */
export async function attended<T extends object | string>(
  job: string | undefined,
  work: Work<T>,
): Promise<T | undefined> {
  const interrupt = hearInterrupt();
  try {
    const done = await attend(work, job, () => interrupt.isAsked);
    return done.isDone ? done.value : undefined;
  } finally {
    interrupt.close();
  }
}
