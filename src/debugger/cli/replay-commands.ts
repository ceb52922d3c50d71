import { assemble } from '../../host/assemble.ts';
import { configurationOf } from '../../host/machine-description.ts';
import { progressOf } from '../../host/progress.ts';
import { type ImagePaths, openRecordedRun, openRunWithoutImages } from '../../host/recorded-run.ts';
import { writeOut } from '../../host/terminal.ts';
import { digestOf } from '../../base/digest.ts';
import { createMachine } from '../../machine/machine.ts';
import { slicesOf } from '../../reducers/slices.ts';
import { describeDivergence } from '../../replay/divergence.ts';
import { fold as foldEvents } from '../../replay/fold.ts';
import { rerun as rerunEvents } from '../../replay/rerun.ts';
import type { ReadTrace } from '../../replay/trace/reader.ts';
import { createVerifier, type Replayed, recordedInputs, replayTo } from '../../replay/verify.ts';
import type { Print } from './trace-commands.ts';

/** What may differ from the recorded run: where the images lie now, and whether its console is shown. */
export interface ReplayOptions extends ImagePaths {
  readonly console?: boolean;
}

const DIVERGED = 3;
const DAMAGED = 1;
/** Events between two looks at the progress. */
const STRIDE = 1 << 14;

/** `retrovisor replay`: run a trace again and compare every event. Returns the process status. */
export function replay(path: string, options: ReplayOptions, print: Print): number {
  const recorded = openRecordedRun(path, options);
  const { events } = recorded.read;
  const verifier = createVerifier(events);
  const progress = progressOf('Replaying');
  const parts = assemble({
    ...recorded,
    inputs: recordedInputs(events, recorded.description.nsPerTick),
    onEvent(stamped) {
      verifier.check(stamped);
      if (stamped.seq % STRIDE === 0) progress.at(stamped.seq / events.length);
      const { event } = stamped;
      const isShown = options.console === true && event.kind === 'sim:serial_sent' && event.line === 0;
      if (isShown) writeOut(Uint8Array.of(event.byte));
    },
  });
  const machine = createMachine(parts);
  const replayed = replayTo(machine, events, verifier);
  progress.end();
  return verdict(recorded.read, replayed, print, () => `${digestOf(machine.state)}${machine.pages.digest()}`);
}

/** `retrovisor fold`: the state that follows from the events by the table of reducers. Returns the process status. */
export function fold(path: string, print: Print): number {
  const recorded = openRunWithoutImages(path, {});
  const { events: all, damage } = recorded.read;
  const progress = progressOf('Folding');
  const { state, events, digests, difference } = foldEvents(all, configurationOf(recorded.description), (done) =>
    progress.at(done / all.length),
  );
  progress.end();
  if (difference !== undefined) {
    const { seq, tick, slices } = difference;
    print(`The state that follows from the events differs at event ${seq}, tick ${tick}, in ${slices.join(', ')}.`);
    return DIVERGED;
  }
  print(`${events} events folded, ${digests} digests of ${slicesOf(state.config).length} slices equal`);
  print(`digest ${digestOf(state)}`);
  if (damage === undefined) return 0;
  process.stderr.write(`retrovisor: ${damage}\n`);
  return DAMAGED;
}

/** `retrovisor rerun`: run hypervisor and devices again on the processor's answers. Returns the process status. */
export function rerun(path: string, options: ReplayOptions, print: Print): number {
  const recorded = openRunWithoutImages(path, options);
  const run = rerunEvents(
    recorded.read.events,
    (tape) => createMachine(assemble({ ...recorded, ...tape })),
    recorded.description.nsPerTick,
  );
  const { machine } = run;
  return verdict(recorded.read, run, print, () => (machine === undefined ? '' : digestOf(machine.state)));
}

function verdict({ events, damage }: ReadTrace, replayed: Replayed, print: Print, digest: () => string): number {
  const { divergence, agreed } = replayed;
  if (divergence !== undefined) {
    print(describeDivergence(divergence));
    print(`${agreed} of ${events.length} events agreed, 1 divergence`);
    return DIVERGED;
  }
  const digests = events.filter(
    ({ event }) => event.kind === 'sim:digest' || event.kind === 'sim:memory_digest',
  ).length;
  print(`${agreed} events and ${digests} digests equal, 0 divergences, tick ${events[events.length - 1]?.tick}`);
  print(`digest ${digest()}`);
  if (damage === undefined) return 0;
  process.stderr.write(`retrovisor: ${damage}\n`);
  return DAMAGED;
}
