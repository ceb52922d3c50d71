import { onOneLine } from '../base/printable.ts';
import { Problem } from '../base/problem.ts';
import type { Stamped } from '../events/stamped.ts';
import { placeFor } from '../host/disk-image.ts';
import { VERSION } from '../host/program.ts';
import { statusOf } from '../host/terminal.ts';
import { TRACE_FILES } from '../host/trace-file.ts';
import { writeCapture } from '../replay/packets/capture.ts';
import { tellsOfFates } from '../replay/packets/fates.ts';
import { TraceDamage } from '../replay/trace/damage.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { lazyEvents } from '../replay/trace/lazy-events.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import { wiresOf } from '../runs/machine/wires-of.ts';
import { attended } from './disk-opened.ts';
import { symbolsIn } from './symbols-in.ts';
import { openToLook, type Print } from './trace-commands.ts';

/** Where a capture goes, and whose names its comments have. */
export interface CaptureOptions {
  readonly output: string;
  readonly symbols?: string;
}

const INTERRUPTED = statusOf('SIGINT');
const DAMAGED = 1;

/** `retrovisor export --pcapng`. Resolves to the process status. */
export async function exportCapture(path: string, { output, symbols }: CaptureOptions, print: Print): Promise<number> {
  const names = symbolsIn(symbols);
  const trace = openToLook(path);
  const machine = readDescription(trace.header.machine, path);
  const { events, damage } = lazyEvents(trace);
  const first = events[0]?.event;
  if (first?.kind !== 'sim:powered_on') throw new Problem(damage ?? `${path} holds no event: there is nothing in it.`);
  placeFor('write the capture', output, [path]);
  const run = {
    ...{ machine, net: wiresOf(machine), events, told: readable(inOrder(trace, 0, tellsOfFates)) },
    ...{
      wallClock: first.wall_clock,
      application: `Retrovisor ${VERSION}`,
      nameOf: (address: bigint) => names.nameOf(address),
    },
  };
  const file = TRACE_FILES.createWhole(output, 'capture');
  let isWhole = false;
  try {
    const done = await attended('Exporting', writeCapture(run, file));
    if (done === undefined) return INTERRUPTED;
    file.close();
    isWhole = true;
    print(onOneLine(`${output}: ${done.packets} packets`));
    return damage === undefined ? 0 : DAMAGED;
  } finally {
    if (!isWhole) file.drop();
  }
}

/** As far as a trace is sound; that it is not is said already. */
function* readable(told: Iterable<Stamped>): Generator<Stamped, void> {
  try {
    yield* told;
  } catch (damage) {
    if (!(damage instanceof TraceDamage)) throw damage;
  }
}
