import { sourceName, type Stamped } from '../events/stamped.ts';
import { configurationOf, readDescription } from '../runs/machine/machine-description.ts';
import { openTraceFile } from '../host/trace-file.ts';
import { powerOn } from '../reducers/power-on.ts';
import { seal } from '../reducers/seal.ts';
import { slicesOf } from '../reducers/slices.ts';
import { textOf } from '../replay/export/text.ts';
import { fold } from '../replay/fold.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { diskInterrupt, type Effect, effectsOf, timerInterrupt } from '../debugger/history/chain.ts';
import { printed } from '../debugger/history/state-difference.ts';
import { DIVERGED } from './statuses.ts';
import type { Print } from './trace-commands.ts';

/** A terminal nobody has widened. */
const WIDTH = 80;

/**
 * A recorded run as what it is made of: some events, each the cause of the next; what each changed; and that the state
 * of the machine is what all of them amount to. Returns the process status.
 */
export function showEvents(path: string, print: Print): number {
  const trace = openTraceFile(path);
  const made = configurationOf(readDescription(trace.header.machine, path));
  const events = [...inOrder(trace)];
  trace.close();
  const chain = timerInterrupt(events);
  if (chain !== undefined) {
    const effects = effectsOf(seal(undefined, powerOn(made)), events, chain);
    print(`The run is ${events.length} events. Here are ${chain.length}, each the cause of the next: from the`);
    print('write that set a timer to its interrupt. Below each is what it changed in the');
    print('state of the machine:');
    for (const effect of effects) showEffect(effect, print);
  }
  const disk = diskInterrupt(events);
  if (disk !== undefined) {
    print('');
    print('And from the exit that told its disk of a request to the interrupt of its end:');
    for (const stamped of disk) print(clipped(`  ${eventText(stamped)}`));
  }
  print('');
  const { state, digests, difference } = fold(events, made);
  if (difference !== undefined) {
    const { seq, slices } = difference;
    print(`What the events amount to differs from the machine at event ${seq}: ${slices.join(', ')}.`);
    return DIVERGED;
  }
  const slices = slicesOf(state.config).length;
  print(`All ${events.length} events reduced, without processor or image: the state they amount`);
  print(`to is the machine's (${slices} parts of it compared at each of ${digests} recorded digests,`);
  print('the last at the end).');
  return 0;
}

const eventText = ({ seq, source, event }: Stamped): string =>
  `${String(seq).padStart(6)} ${sourceName(source).padEnd(6)} ${event.kind} ${textOf(event)}`;

function showEffect({ stamped, changed }: Effect, print: Print): void {
  const [first] = changed;
  const more = changed.length > 1 ? `, and ${changed.length - 1} more` : '';
  print(clipped(`  ${eventText(stamped)}`));
  if (first === undefined) return;
  print(clipped(`                ${first.path}: ${printed(first.left)} -> ${printed(first.right)}${more}`));
}

const clipped = (line: string): string => (line.length > WIDTH ? `${line.slice(0, WIDTH - 3)}...` : line);
