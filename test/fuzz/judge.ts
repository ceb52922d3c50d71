import seedrandom from 'seedrandom';
import { BrokenBelief } from '../../src/base/invariant.ts';
import { Problem } from '../../src/base/problem.ts';
import { openDebugSession } from '../../src/debugger/session.ts';
import { answerPrompt } from '../../src/debugger/prompt/prompt.ts';
import { readSymbols } from '../../src/debugger/symbols/symbols.ts';
import { readImage } from '../../src/host/files.ts';
import { NODE } from '../../src/host/node.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { fold } from '../../src/replay/fold.ts';
import { inOrder } from '../../src/replay/trace/in-order.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { configurationOf, readDescription } from '../../src/runs/machine/machine-description.ts';
import { openTrace } from '../../src/runs/recorded/open-trace.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { replay, rerun } from '../../src/runs/recorded/run-again.ts';
import { openTraceFile } from '../../src/runs/recorded/trace-file.ts';
import { firmwareLinuxItems } from '../../src/vmm/loaders/firmware-linux.ts';
import { loaderParts } from '../../src/vmm/loaders/loader-parts.ts';
import { multibootHeader, planMultiboot } from '../../src/vmm/loaders/multiboot.ts';
import { planLinux } from '../../src/vmm/loaders/direct-linux.ts';
import { ramLayout } from '../../src/vmm/pc/ram-layout.ts';
import { openSession } from '../../src/runs/underway/open-session.ts';
import type { World } from '../../src/runs/world.ts';
import { type Draw, drawing } from '../replay/mutated-events.ts';
import { KIND_NAMES, KINDS, type Mutant } from './kinds.ts';
import type { Samples } from './samples.ts';

/** What came of a case. `broken`: what must not. */
export interface Outcome {
  readonly how: string;
  readonly came: 'read' | 'refused' | 'broken';
  readonly why?: string;
}

/** Some of what reads a file, by name. */
type Way = (world: World, mutant: Mutant, draw: Draw) => unknown;

const MOST_SECONDS = 5;
const MOST_GROWN = 512 * 2 ** 20;
const ONE_SENTENCE = /^[^\n]{10,4000}$/;
const TICKS = 3000;

/** Node's world, in which no file is opened but those that are named, and none is written. */
function watched(files: readonly string[], seen: string[]): World {
  const named = (path: string): void => {
    if (!files.some((file) => path === file || path === `${file}.ckpt`)) seen.push(`opened ${path}`);
  };
  const written = (path: string): never => {
    seen.push(`wrote ${path}`);
    throw new Problem(`${path} is not written in a case of a fuzzer.`);
  };
  return {
    ...NODE,
    files: {
      ...NODE.files,
      open(path) {
        named(path);
        return NODE.files.open(path);
      },
      createTrace: written,
      createWhole: written,
    },
    images: {
      ...NODE.images,
      read(role, path) {
        named(path);
        return NODE.images.read(role, path);
      },
    },
  };
}

const over = (stream: { subscribe(to: { complete(): void; error(error: unknown): void }): unknown }): Promise<void> =>
  new Promise((complete, error) => stream.subscribe({ complete, error }));

/** The trace's path of a mutant that is given as one. */
const traceIn = ({ given }: Mutant): string => (given.as === 'guest' ? '' : given.trace);

const TRACE_WAYS: Readonly<Record<string, Way>> = {
  events(world, mutant) {
    const file = openTraceFile(world, traceIn(mutant));
    const { events } = readAll(file);
    file.close();
    for (const stamped of events.slice(0, 50)) JSON.stringify(stamped, (_, v) => (typeof v === 'bigint' ? `${v}` : v));
  },
  fold(world, mutant) {
    const path = traceIn(mutant);
    const file = openTraceFile(world, path);
    try {
      fold(inOrder(file), configurationOf(readDescription(file.header.machine, path)));
    } finally {
      file.close();
    }
  },
  async stream(world, mutant) {
    const trace = openTrace(world, traceIn(mutant));
    try {
      await over(trace.events$);
      trace.at({ seq: trace.describe().events >> 1, tick: 0 });
    } finally {
      trace.close();
    }
  },
  rerun: (world, mutant) => rerun(world, traceIn(mutant)),
  replay: (world, mutant) => replay(world, traceIn(mutant)),
  stand(world, mutant, draw) {
    const run = openRecordedRun(world, traceIn(mutant), {});
    const stood = openTimeline(run, { onStoredProblem: () => undefined, every: 100 });
    try {
      const session = openDebugSession(stood);
      for (const place of ['end', 'start', `${draw.below(100)}%`]) session.at(place);
      for (const line of ['back 3', 'info registers', 'events 3', 'rcontinue', 'at 50%']) answerPrompt(session, line);
    } finally {
      stood.close();
    }
  },
};

function boot(world: World, { given }: Mutant): void {
  if (given.as !== 'guest') return;
  const options = runOptions([
    ...given.options,
    '-m',
    '24',
    '--no-trace',
    '--ticks',
    String(TICKS),
    '-no-reboot',
    '--wall-clock',
    '0',
  ]);
  const session = openSession(world, options, { serial: () => undefined, character: () => undefined });
  try {
    for (let slices = 0; slices < 50; slices += 1) if (session.run(50, false).pause !== 'slice') return;
  } finally {
    session.close();
  }
}

/** What a machine would be loaded with, without the machine: most of what a boot costs. */
function load(world: World, { given }: Mutant): void {
  if (given.as !== 'guest') return;
  const { kernel, initrd, bios } = runOptions(given.options);
  const image = (path: string) => ({ name: path, bytes: world.images.read('kernel', path) });
  if (kernel === undefined || bios !== undefined) return;
  const [file, module] = [image(kernel), initrd === undefined ? undefined : image(initrd)];
  const ram = ramLayout(24 * 2 ** 20);
  loaderParts(file);
  if (multibootHeader(file.bytes) === undefined) {
    planLinux({ kernel: file, initrd: module, append: 'quiet', ram, rsdp: 0xf59d0 });
    firmwareLinuxItems(file, module, 'quiet', ram);
  } else planMultiboot({ kernel: file, modules: module === undefined ? [] : [module], append: 'quiet', ram });
}

function name(_: World, { given }: Mutant): void {
  if (given.as !== 'symbols') return;
  readSymbols(given.symbols, readImage('read the symbols', given.symbols)).nameOf(0x1234n);
}

/** How a mutant is read this time: the costly ways now and then; a checkpoint by standing in its run. */
function wayOf(kind: string, { given }: Mutant, draw: Draw): readonly [string, Way] {
  if (given.as === 'guest') return draw.below(8) === 0 ? ['boot', boot] : ['load', load];
  if (given.as === 'symbols') return ['name', name];
  const often = ['events', 'fold', 'stream', 'events', 'fold', 'stream', 'rerun', 'replay', 'stand'];
  const way =
    kind === 'checkpoints' && draw.below(2) === 0
      ? 'stand'
      : draw.pick(draw.below(4) === 0 ? often : often.slice(0, 3));
  return [way, TRACE_WAYS[way] as Way];
}

/** Make a file of a seed and read it in this process. */
export async function tryCase(samples: Samples, seed: string): Promise<Outcome> {
  const draw = drawing(seedrandom.alea(seed));
  const kind = draw.pick(KIND_NAMES);
  const mutant = KINDS[kind]!(samples, draw);
  const [way, read] = wayOf(kind, mutant, draw);
  const how = `${seed}: ${kind}, ${way}`;
  const seen: string[] = [];
  const [cpu, memory] = [process.cpuUsage(), process.memoryUsage().rss];
  const judged = (came: Outcome['came'], why?: string): Outcome => {
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (user + system) / 1e6;
    const grown = process.memoryUsage().rss - memory;
    if (why === undefined && seen.length > 0) return { how, came: 'broken', why: seen.join(', ') };
    if (why === undefined && seconds > MOST_SECONDS) return { how, came: 'broken', why: `${seconds} s` };
    if (why === undefined && grown > MOST_GROWN) return { how, came: 'broken', why: `${grown >> 20} MiB more` };
    return { how, came, ...(why === undefined ? {} : { why }) };
  };
  try {
    await read(watched(mutant.files, seen), mutant, draw);
    return judged('read');
  } catch (error) {
    if (error instanceof Problem) {
      return ONE_SENTENCE.test(error.message) ? judged('refused') : judged('broken', `no sentence: ${error.message}`);
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return judged('broken', error instanceof BrokenBelief ? `${error.message}\n${text}` : text);
  }
}
