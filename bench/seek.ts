/**
 * Standing anywhere in a recorded run: opening it, 200 random marks, taking and restoring checkpoints, memory held;
 * with checkpoints beside the trace (`retrovisor index`) and without.
 * `npx tsx bench/seek.ts --trace FILE [--marks N]`.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { finish } from '../src/base/work.ts';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { indexTrace } from '../src/runs/recorded/index-trace.ts';
import { NODE } from '../src/host/node.ts';
import { openRecordedRun, openTimeline } from '../src/runs/recorded/recorded-run.ts';
import { checkpointPath } from '../src/runs/recorded/stored-checkpoints.ts';
import { type CheckpointTimes, checkpointTimes, timed } from './checkpoint-times.ts';
import { percentile } from './measured.ts';

const MB = 1e6;

interface Figures extends CheckpointTimes {
  readonly open: number;
  readonly first: number;
  readonly marks: readonly number[];
  readonly held: number;
  readonly checkpoints: number;
}

/** Ticks all over the run in no order: multiples of the golden ratio. */
const scattered = (count: number, last: number): number[] =>
  Array.from({ length: count }, (_, at) => Math.floor(last * (((at + 1) * 0.6180339887498949) % 1)));

function figures(trace: string, count: number, isStored: boolean): Figures {
  const complain = (sentence: string): void => console.error(sentence);
  const [open, recorded] = timed(() => {
    return openTimeline(openRecordedRun(NODE, trace, {}), isStored ? { onStoredProblem: complain } : {});
  });
  const { timeline, events } = recorded;
  const [first = 0, ...rest] = scattered(count + 1, events[events.length - 1]!.tick);
  const [firstTime] = timed(() => timeline.seek(first));
  if (!isStored) timeline.seek(events[events.length - 1]!.tick);
  const marks = rest.map((tick) => timed(() => timeline.seek(tick))[0]);
  const both = checkpointTimes(recorded.timeline.machine);
  if (recorded.verifier.divergence !== undefined) throw new Error('what was run did not come out as recorded');
  return {
    open,
    first: firstTime,
    marks,
    ...both,
    held: timeline.heldBytes,
    checkpoints: timeline.checkpoints.length,
  };
}

function main(): number {
  const { values } = parseArgs({ options: { trace: { type: 'string' }, marks: { type: 'string', default: '200' } } });
  if (values.trace === undefined || !existsSync(values.trace)) {
    console.error('Give the trace of a long run: --trace FILE, as `retrovisor run -kernel ... --trace FILE` writes.');
    return 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-bench-'));
  try {
    const trace = join(folder, 'run.trace');
    copyFileSync(values.trace, trace);
    compare(trace, Number(values.marks));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

function compare(trace: string, marks: number): void {
  const table = new Table({ head: HEAD });
  table.push(rowOf('without, run once to its end', figures(trace, marks, false)));
  const { user, system } = process.cpuUsage();
  const { checkpoints } = finish(indexTrace(openRecordedRun(NODE, trace, {})));
  const used = process.cpuUsage({ user, system });
  table.push(rowOf('with stored checkpoints', figures(trace, marks, true)));
  console.log(table.toString());
  const [size, stored] = [trace, checkpointPath(trace)].map((path) => statSync(path).size);
  const seconds = ((used.user + used.system) / 1e6).toFixed(1);
  console.log(`trace ${size} bytes; ${checkpoints} stored checkpoints, ${stored} bytes`);
  console.log(`\`retrovisor index\` made them in ${seconds} s of CPU time`);
}

const HEAD = ['ms', 'open', 'first seek', 'seek p50', 'p99', 'worst', 'take', 'restore', 'held MB', 'checkpoints'];

function rowOf(name: string, found: Figures): (string | number)[] {
  const times = [found.open, found.first, percentile(found.marks, 0.5), percentile(found.marks, 0.99)];
  const more = [Math.max(...found.marks), percentile(found.take, 0.5), percentile(found.restore, 0.5)];
  const row = [...times, ...more].map((ms) => ms.toFixed(ms < 10 ? 2 : 0));
  return [name, ...row, (found.held / MB).toFixed(0), found.checkpoints];
}

process.exit(main());
