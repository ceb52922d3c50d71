/**
 * From a recorded run's events to its state: folded by the table of reducers as plain code, as immutable states through
 * rxjs and Immer, and by running hypervisor and devices again on the tape; CPU time of each beside reading alone, in
 * processes of their own. Then a reader that is slower than the trace, over ten million events: memory held.
 * `npx tsx bench/fold.ts [--trace FILE] [--runs N]`; without a trace a boot of Debian's kernel is recorded first.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import type { Stamped } from '../src/events/stamped.ts';
import { record } from '../src/api/index.ts';
import { compress, createTraceFile, openTraceFile } from '../src/host/trace-file.ts';
import { inOrder } from '../src/replay/trace/in-order.ts';
import { createTraceWriter } from '../src/replay/trace/writer.ts';
import { measured, median } from './measured.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MANY = 10_000_000;

/** By the name bench/one-way.js has for each. */
const WAYS: readonly (readonly [string, string])[] = [
  ['reading', 'reading alone'],
  ['plain', 'folded, plain'],
  ['immer', 'rxjs and Immer'],
  ['rerun', 'rerun'],
];

interface Measure {
  readonly events: number;
  readonly seconds: number;
  readonly peakMiB: number;
}

function measure(way: string, path: string): Measure {
  const { out, status, peakMiB } = measured(process.execPath, [
    '--import',
    'tsx',
    join(ROOT, 'bench/one-way.js'),
    way,
    path,
  ]);
  if (status !== 0) throw new Error(`${way}: ${out}`);
  return { ...(JSON.parse(out) as Omit<Measure, 'peakMiB'>), peakMiB };
}

function table(path: string, runs: number): void {
  const rows = new Table({ head: ['from events to state', 'events', 'CPU s', 'without reading', 'resident MiB'] });
  const seconds = (way: string): number => median(all.get(way)!.map((one) => one.seconds));
  const all = new Map<string, Measure[]>();
  for (let run = 0; run < runs; run += 1) {
    for (const [way] of WAYS) all.set(way, [...(all.get(way) ?? []), measure(way, path)]);
  }
  const reading = seconds('reading');
  for (const [way, name] of WAYS) {
    const measures = all.get(way)!;
    const peak = Math.max(...measures.map(({ peakMiB }) => peakMiB));
    const own = (seconds(way) - reading).toFixed(2);
    rows.push([name, measures[0]!.events, seconds(way).toFixed(2), own, peak.toFixed(0)]);
  }
  console.log(rows.toString());
}

/** The trace's events over and over, numbered on: for a reader that does not ask what they amount to. */
function repeated(path: string, from: string): void {
  const trace = openTraceFile(from);
  const { engineVersion, machine, images, seed } = trace.header;
  const sink = createTraceFile(path);
  const writer = createTraceWriter(sink, compress, { engineVersion, machine, images, seed });
  let last: Stamped | undefined;
  for (let seq = 0, base = 0; seq < MANY; base = (last?.tick ?? 0) + 1) {
    for (const stamped of inOrder(trace)) {
      last = { ...stamped, seq, tick: base + stamped.tick, cause: undefined, within: undefined };
      writer.append(last);
      seq += 1;
      if (seq === MANY) break;
    }
  }
  writer.close();
  sink.close();
}

async function boot(folder: string): Promise<string> {
  const [kernel, initrd] = [join(ROOT, '.guests/vmlinuz'), join(ROOT, '.guests/initramfs.gz')];
  if (!existsSync(kernel)) throw new Error(`There is no kernel at ${kernel}: run \`npm run guests\`, or give --trace.`);
  const append = 'console=ttyS0 panic=-1 rdinit=/bin/busybox -- poweroff -f';
  const trace = join(folder, 'boot.trace');
  await record({ kernel, initrd, append, memory: 256, noDefaults: true, wallClock: 1_700_000_000, trace });
  return trace;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { trace: { type: 'string' }, runs: { type: 'string', default: '3' } },
  });
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-bench-'));
  try {
    const trace = values.trace ?? (await boot(folder));
    table(trace, Number(values.runs));
    const many = join(folder, 'many.trace');
    repeated(many, trace);
    const { events, seconds, peakMiB } = measure('slow', many);
    console.log(`slow reader: ${events} events, ${seconds.toFixed(1)} s of CPU, resident ${peakMiB.toFixed(0)} MiB`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
