/** Packets of a run that is still recorded. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../base/problem.ts';
import type { Ns, Seq } from '../base/units.ts';
import type { Work } from '../base/work.ts';
import type { Stamped } from '../events/stamped.ts';
import { hearInterrupt } from '../host/interrupt.ts';
import { isWritten } from '../host/lock.ts';
import { complain } from '../host/output.ts';
import { statusOf } from '../host/terminal.ts';
import { withMachine } from '../host/joint-file.ts';
import { jointAt } from '../host/trace-source.ts';
import { openTraceFile } from '../host/trace-file.ts';
import { eventClock, type EventClock } from '../replay/export/report.ts';
import { type PacketReader, tellsOfPackets } from '../replay/packets/packet-reader.ts';
import { TraceDamage } from '../replay/trace/damage.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import type { TraceReader } from '../replay/trace/reader.ts';
import type { TraceFile } from '../runs/recorded/trace-file.ts';
import { readDescription } from '../runs/machine/machine-description.ts';
import { attended } from './disk-opened.ts';
import type { MachineIn } from './machines-in.ts';
import { PIECE, type Printing, readerOf, type ShownPackets } from './shown-packets.ts';

const INTERRUPTED = statusOf('SIGINT');
const LOOK_AGAIN_MS = 200;
/** Looks at which a machine is waited for that tells of nothing: it may sleep for long. */
const PATIENCE = 5;

/** `retrovisor packets --follow`: until the recording ends, its recorder is gone, or somebody stops it. */
export async function followPackets(
  path: string,
  shownOf: (machines: readonly Pick<MachineIn, 'name'>[]) => ShownPackets,
  { flush }: Printing,
): Promise<number> {
  const { file } = withMachine(path);
  const interrupt = hearInterrupt();
  let following: Following | undefined;
  try {
    for (;;) {
      // Whether anybody writes is asked first: what they wrote last is read then.
      const goesOn = isWritten(file);
      const growing = await openedGrowing(path, file);
      following ??= new Following(growing, shownOf(growing));
      const cut = growing.map(({ trace }) => trace.cut).find((sentence) => sentence !== undefined);
      const traces = growing.map(({ trace }) => trace);
      const done = await attended(undefined, following.on(traces, goesOn && cut !== undefined));
      for (const trace of traces) trace.close();
      flush();
      if (done === undefined || interrupt.isAsked) return INTERRUPTED;
      if (done.damage !== undefined) {
        complain(done.damage);
        return 1;
      }
      if (following.isFull || cut === undefined) return 0;
      if (!goesOn) {
        complain(cut);
        return 0;
      }
      await sleep(LOOK_AGAIN_MS);
    }
  } finally {
    interrupt.close();
  }
}

/** One of those that are recorded, as far as it is. */
interface Growing {
  readonly name: string | undefined;
  readonly path: string;
  readonly trace: TraceFile;
}

/** What is being recorded has no end, which is nothing to tell of; what has just begun is waited for. */
async function openedGrowing(path: string, file: string): Promise<Growing[]> {
  for (;;) {
    const isBegun = isWritten(file);
    try {
      return opened(path);
    } catch (problem) {
      if (!(problem instanceof Problem) || !isBegun) throw problem;
      await sleep(LOOK_AGAIN_MS);
    }
  }
}

function opened(path: string): Growing[] {
  const names = jointAt(path)?.machines.map(({ name }) => name) ?? [undefined];
  const growing: Growing[] = [];
  try {
    for (const name of names) {
      const own = name === undefined ? path : `${path}:${name}`;
      growing.push({ name, path: own, trace: openTraceFile(own, { acceptCut: true }) });
    }
  } catch (problem) {
    for (const { trace } of growing) trace.close();
    throw problem;
  }
  return growing;
}

/** A machine, and how far its trace has been read. */
interface Reading {
  readonly reader: PacketReader;
  readonly clock: EventClock;
  next: Seq;
  /** The first that is read and not told yet. */
  head: { readonly stamped: Stamped; readonly ns: Ns } | undefined;
  /** Nothing that happened before this is still to be told. */
  known: Ns;
  /** Looks at which there was nothing new. */
  silent: number;
}

/** How far somebody has read traces that may grow: by the clock of all, as far as all have come. */
class Following {
  private readonly readings: readonly Reading[];
  private readonly shown: ShownPackets;

  constructor(machines: readonly Growing[], shown: ShownPackets) {
    this.shown = shown;
    this.readings = machines.map(({ trace, path }) => {
      const description = readDescription(trace.header.machine, path);
      const [reader, clock] = [readerOf(description), eventClock(description)];
      return { reader, clock, next: 0, head: undefined, known: 0, silent: 0 };
    });
  }

  get isFull(): boolean {
    return this.shown.isFull;
  }

  /** Tell what there is beyond that. `goesOn`: more may come of each. Damage is a sentence, once. */
  *on(traces: readonly TraceReader[], goesOn: boolean): Work<{ readonly damage: string | undefined }> {
    const { readings } = this;
    for (const reading of readings) reading.silent += 1;
    const more = traces.map((trace, machine) => inOrder(trace, readings[machine]!.next, tellsOfPackets));
    let told = 0;
    try {
      for (;;) {
        const machine = this.first(more, goesOn);
        if (machine === undefined || this.isFull) break;
        this.tell(machine);
        told += 1;
        if (told % PIECE === 0) yield undefined;
      }
    } catch (damage) {
      if (!(damage instanceof TraceDamage)) throw damage;
      return { damage: damage.message };
    }
    return { damage: undefined };
  }

  /** Whose event comes next; undefined: that is not known yet, or there is none. */
  private first(more: readonly Generator<Stamped, void>[], goesOn: boolean): number | undefined {
    let first: number | undefined;
    let known = Infinity;
    for (const [machine, reading] of this.readings.entries()) {
      this.read(reading, more[machine]!);
      const { head } = reading;
      if (head === undefined) known = reading.silent > PATIENCE ? known : Math.min(known, reading.known);
      else if (first === undefined || head.ns < this.readings[first]!.head!.ns) first = machine;
    }
    return first === undefined || (goesOn && this.readings[first]!.head!.ns >= known) ? undefined : first;
  }

  private read(reading: Reading, more: Generator<Stamped, void>): void {
    if (reading.head !== undefined) return;
    const { value: stamped, done } = more.next();
    if (done === true) return;
    reading.next = stamped.seq + 1;
    reading.known = reading.clock.ns(stamped);
    reading.head = { stamped, ns: reading.known };
    reading.silent = 0;
  }

  private tell(machine: number): void {
    const reading = this.readings[machine]!;
    const packet = reading.reader.next(reading.head!.stamped);
    reading.head = undefined;
    if (packet !== undefined) this.shown.take(packet, machine);
  }
}
