import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { runOptions } from '../../src/options/run-arguments.ts';
import { openSession } from '../../src/runs/underway/open-session.ts';
import { NODE } from '../../src/host/node.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { endOf } from '../../src/replay/places.ts';
import { type DebugSession, openDebugSession } from '../../src/debugger/session.ts';

const TOUR = fileURLToPath(new URL('../../guests/tour/tour.elf', import.meta.url));
const SLICE_MS = 1000;

/** A folder for one test file's traces, gone afterwards. */
export function traceFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-debug-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Record our own guest for so many ticks. */
export function recordTour(trace: string, more: readonly string[] = [], ticks = 60_000): void {
  const machine = ['-m', '4', '-nodefaults', '-serial', 'stdio', '-kernel', TOUR];
  const run = ['--trace', trace, '--ticks', String(ticks), '--wall-clock', '1700000000'];
  recordRun([...machine, ...run, ...more]);
}

/** Record a run to its end as `retrovisor run` does, in this process. */
export function recordRun(options: readonly string[]): void {
  const session = openSession(NODE, runOptions(options), { serial: () => undefined, character: () => undefined });
  while (session.run(SLICE_MS, false).pause === 'slice');
  session.close();
}

/** Stand at the beginning of a recorded run. */
export const debugTour = (trace: string, every = 20_000): DebugSession =>
  openDebugSession(openTimeline(openRecordedRun(NODE, trace, {}), { every }));

/** When each event of a run was raised, by the clock of the machine that raises it again. */
export function timesOf({ run: { timeline, events } }: DebugSession): number[] {
  const times: number[] = [];
  timeline.watching(
    ({ seq }) => {
      times[seq] = timeline.machine.now();
    },
    () => {
      timeline.seek(0);
      timeline.seek(endOf(events));
    },
  );
  return times;
}
