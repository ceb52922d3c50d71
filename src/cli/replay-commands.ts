import { digestOf } from '../base/digest.ts';
import { configurationOf } from '../runs/machine/machine-description.ts';
import { NODE } from '../host/node.ts';
import { progressOf } from '../host/progress.ts';
import { openRecordedRun, openRunWithoutImages, type RunAccess } from '../runs/recorded/recorded-run.ts';
import { type RanAgain, replayRun, rerun as rerunTrace } from '../runs/recorded/run-again.ts';
import { consoleShown } from '../host/output.ts';
import { slicesOf } from '../reducers/slices.ts';
import { fold as foldEvents, isFolded } from '../replay/fold.ts';
import { Printed } from '../runs/underway/printed.ts';
import { Told } from '../replay/streams/told.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { statusOfDamage } from './cut.ts';
import type { Print } from './trace-commands.ts';
import { DIVERGED } from './statuses.ts';

/** What may differ from the recorded run: where the images lie now, and whether its console is shown. */
export interface ReplayOptions extends RunAccess {
  readonly console?: boolean;
  /** Byte for byte, as the guest's terminal would have had it. */
  readonly raw?: boolean;
}

/** Events between two looks at the progress. */
const STRIDE = 1 << 14;

/** `retrovisor replay`: run a trace again and compare every event. Resolves to the process status. */
export async function replay(path: string, options: ReplayOptions, print: Print): Promise<number> {
  const recorded = openRecordedRun(NODE, path, options);
  const { length } = recorded.read.events;
  const told = new Told();
  const progress = progressOf('Replaying');
  told.events$.subscribe(({ seq }) => {
    if (seq % STRIDE === 0) progress.at(seq / length);
  });
  const shown = consoleShown(options.raw === true);
  const serial = (line: number, bytes: Uint8Array): void => void (line === 0 && shown.take(bytes));
  const printed = new Printed({ serial, character: () => undefined });
  if (options.console === true) told.events$.subscribe((stamped) => printed.next(stamped));
  const ran = await replayRun(recorded, told, () => printed.flush());
  printed.flush();
  shown.end();
  progress.end();
  return verdict(ran, print);
}

/** `retrovisor fold`: the state that follows from the events by the table of reducers. Returns the process status. */
export function fold(path: string, print: Print, access: RunAccess = {}): number {
  const { trace, description } = openRunWithoutImages(NODE, path, access);
  const progress = progressOf('Folding');
  const { state, events, digests, difference, damage } = foldEvents(
    inOrder(trace, 0, isFolded),
    configurationOf(description),
    (done) => progress.at(done / trace.eventCount),
  );
  progress.end();
  if (difference !== undefined) {
    const { seq, tick, slices } = difference;
    print(`The state that follows from the events differs at event ${seq}, tick ${tick}, in ${slices.join(', ')}.`);
    return DIVERGED;
  }
  print(`${events} events folded, ${digests} digests of ${slicesOf(state.config).length} slices equal`);
  print(`digest ${digestOf(state)}`);
  return statusOfDamage({ damage, cut: trace.cut });
}

/** `retrovisor rerun`: run hypervisor and devices again on the processor's answers. Resolves to the process status. */
export const rerun = async (path: string, access: RunAccess, print: Print): Promise<number> =>
  verdict(await rerunTrace(NODE, path, { images: access, acceptCut: access.acceptCut === true }), print);

function verdict(ran: RanAgain, print: Print): number {
  const { events, agreed, digests, tick, digest, divergence } = ran;
  if (divergence !== undefined) {
    print(divergence);
    print(`${agreed} of ${events} events agreed, 1 divergence`);
    return DIVERGED;
  }
  print(`${agreed} events and ${digests} digests equal, 0 divergences, tick ${tick}`);
  print(`digest ${digest}`);
  return statusOfDamage(ran);
}
