import { onOneLine } from '../base/printable.ts';
import { Problem } from '../base/problem.ts';
import type { Stamped } from '../events/stamped.ts';
import { placeFor } from '../host/disk-image.ts';
import { VERSION } from '../host/program.ts';
import { statusOf } from '../host/terminal.ts';
import { TRACE_FILES } from '../host/trace-file.ts';
import { machinesAt } from '../host/trace-source.ts';
import { writeCapture } from '../replay/packets/capture.ts';
import { tellsOfFates } from '../replay/packets/fates.ts';
import { TraceDamage } from '../replay/trace/damage.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import { lazyEvents } from '../replay/trace/lazy-events.ts';
import { wiresOf } from '../runs/machine/wires-of.ts';
import { attended } from './disk-opened.ts';
import { machinesIn } from './machines-in.ts';
import { symbolsIn } from './symbols-in.ts';
import type { Print } from './trace-commands.ts';

/** Where a capture goes, and whose names its comments have. */
export interface CaptureOptions {
  readonly output: string;
  readonly symbols?: string;
}

const INTERRUPTED = statusOf('SIGINT');
const DAMAGED = 1;

/** `retrovisor export --pcapng`: of several machines all, in one file. Resolves to the process status. */
export async function exportCapture(path: string, { output, symbols }: CaptureOptions, print: Print): Promise<number> {
  const names = symbolsIn(symbols);
  const machines = machinesIn(path).map((machine) => ({ machine, ...lazyEvents(machine.trace) }));
  const isDamaged = machines.some(({ damage }) => damage !== undefined);
  const wallClock = machines.map(({ events: [first] }) => powerOn(first)).find((time) => time !== undefined);
  if (wallClock === undefined) {
    throw new Problem(machines[0]?.damage ?? `${path} holds no event: there is nothing in it.`);
  }
  placeFor('write the capture', output, [machinesAt(path)?.file ?? path]);
  const runs = machines.map(({ machine: { name, trace, description }, events }) => ({
    ...{ name, machine: description, net: wiresOf(description), events },
    ...{ told: readable(inOrder(trace, 0, tellsOfFates)), nameOf: (address: bigint) => names.nameOf(address) },
  }));
  const file = TRACE_FILES.createWhole(output, 'capture');
  let isWhole = false;
  try {
    const work = writeCapture({ runs, wallClock, application: `Retrovisor ${VERSION}` }, file);
    const done = await attended('Exporting', work);
    if (done === undefined) return INTERRUPTED;
    file.close();
    isWhole = true;
    print(onOneLine(`${output}: ${done.packets} packets`));
    return isDamaged ? DAMAGED : 0;
  } finally {
    if (!isWhole) file.drop();
  }
}

/** The time of day at which a run begins. */
const powerOn = (first: Stamped | undefined): bigint | undefined =>
  first?.event.kind === 'sim:powered_on' ? first.event.wall_clock : undefined;

/** As far as a trace is sound; that it is not is said already. */
function* readable(told: Iterable<Stamped>): Generator<Stamped, void> {
  try {
    yield* told;
  } catch (damage) {
    if (!(damage instanceof TraceDamage)) throw damage;
  }
}
