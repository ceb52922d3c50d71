import { invariant } from '../../base/invariant.ts';
import { Problem } from '../../base/problem.ts';
import type { Stamped } from '../../events/stamped.ts';
import { assemble } from '../../host/assemble.ts';
import { type Images, recordedImages } from '../../host/images.ts';
import { readDescription } from '../../host/machine-description.ts';
import { progressOf } from '../../host/progress.ts';
import { writeOut } from '../../host/terminal.ts';
import { openTraceFile } from '../../host/trace-file.ts';
import { digestOf } from '../../reducers/digest.ts';
import { createMachine, type Machine } from '../../reducers/machine.ts';
import { describeDivergence } from '../../replay/divergence.ts';
import { type ReadTrace, readAll, type TraceReader } from '../../replay/trace/reader.ts';
import { createVerifier, recordedInputs, replayTo, type Verifier } from '../../replay/verify.ts';
import type { Print } from './trace-commands.ts';

/** What may differ from the recorded run: where the images lie now, and whether its console is shown. */
export interface ReplayOptions {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly bios?: string;
  readonly console?: boolean;
}

const DIVERGED = 3;
const DAMAGED = 1;
/** Events between two looks at the progress. */
const STRIDE = 1 << 14;

/** `retrovisor replay`: run a trace again and compare every event. Returns the process status. */
export function replay(path: string, options: ReplayOptions, print: Print): number {
  const trace = openTraceFile(path);
  const read = readAll(trace);
  const images = recordedImages(path, trace.header.images, readDescription(trace.header.machine, path).paths, options);
  const verifier = createVerifier(read.events);
  const progress = progressOf('Replaying');
  const machine = machineOf(path, trace, read, images, options.console === true, (stamped) => {
    verifier.check(stamped);
    if (stamped.seq % STRIDE === 0) progress.at(stamped.seq / read.events.length);
  });
  replayTo(machine, read.events, verifier);
  progress.end();
  return verdict(machine, read, verifier, print);
}

function machineOf(
  path: string,
  trace: TraceReader,
  { events }: ReadTrace,
  images: Images,
  shows: boolean,
  onEvent: (stamped: Stamped) => void,
): Machine {
  const first = events[0]?.event;
  if (first?.kind !== 'sim:powered_on') throw new Problem(`${path} holds no event: there is nothing to replay.`);
  const { parts } = assemble({
    description: readDescription(trace.header.machine, path),
    images,
    seed: first.seed,
    wallClockAtPowerOn: first.wall_clock,
    inputs: recordedInputs(events),
    onEvent,
    onRequest(request) {
      if (shows && request.ask === 'serial-output' && request.line === 0) writeOut(Uint8Array.of(request.byte));
    },
  });
  return createMachine(parts);
}

function verdict(machine: Machine, { events, damage }: ReadTrace, verifier: Verifier, print: Print): number {
  const { divergence, agreed } = verifier;
  if (divergence !== undefined) {
    print(describeDivergence(divergence));
    print(`${agreed} of ${events.length} events agreed, 1 divergence`);
    return DIVERGED;
  }
  invariant(agreed <= events.length, 'no more events agree than there are', { agreed });
  if (agreed < events.length) {
    print(`The replay ended after ${agreed} of ${events.length} events, 1 divergence`);
    return DIVERGED;
  }
  const digests = events.filter(({ event }) => event.kind === 'sim:digest').length;
  print(`${agreed} events and ${digests} digests equal, 0 divergences, tick ${machine.state.clock.ticks}`);
  print(`digest ${digestOf(machine.state)}${machine.pages.digest()}`);
  if (damage === undefined) return 0;
  process.stderr.write(`retrovisor: ${damage}\n`);
  return DAMAGED;
}

/** `retrovisor fold`: rebuild state from events alone. Returns the process status. */
export function fold(_path: string): number {
  throw new Problem('Folding is not assembled yet.');
}
