import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../base/problem.ts';
import type { Seq } from '../base/units.ts';
import type { Work } from '../base/work.ts';
import { hearInterrupt } from '../host/interrupt.ts';
import { isWritten } from '../host/lock.ts';
import { complain } from '../host/output.ts';
import { statusOf } from '../host/terminal.ts';
import { openTraceFile } from '../host/trace-file.ts';
import { EITHER_FIELDS, FLOW_FIELDS, OWN_FIELDS, PROTOCOLS } from '../packets/dissect/fields-table.ts';
import { fitted } from '../replay/export/event-line.ts';
import { packetCondition } from '../replay/packets/packet-condition.ts';
import { PacketReader, type PacketTold, tellsOfPackets } from '../replay/packets/packet-reader.ts';
import { hexDump, packetJson, packetLine } from '../replay/packets/packet-text.ts';
import { TraceDamage } from '../replay/trace/damage.ts';
import { inOrder } from '../replay/trace/in-order.ts';
import type { TraceReader } from '../replay/trace/reader.ts';
import { type MachineDescription, readDescription } from '../runs/machine/machine-description.ts';
import { wiresOf } from '../runs/machine/wires-of.ts';
import { asUsage } from '../options/usage.ts';
import { attended } from './disk-opened.ts';
import { type MachineIn, machinesIn, SoundMachines, WhoseLines } from './machines-in.ts';
import type { Print } from './trace-commands.ts';

/** Which packets are printed, and how. */
export interface PacketsForm {
  readonly condition?: string;
  readonly json?: boolean;
  /** The bytes of each, too. */
  readonly hex?: boolean;
  /** Wait for more while the trace is recorded. */
  readonly follow?: boolean;
  readonly limit: number;
  /** Of the terminal; absent: lines are as long as they are. */
  readonly width?: number;
}

/** Lines go where they are asked for, at once if somebody waits for them. */
export interface Printing {
  readonly print: Print;
  flush(): void;
}

const INTERRUPTED = statusOf('SIGINT');
/** Events read between two looks at whether somebody wants to stop. */
const PIECE = 1 << 12;
const LOOK_AGAIN_MS = 200;

/** `retrovisor packets`: a line a packet. Resolves to the process status. */
export async function printPackets(path: string, form: PacketsForm, printing: Printing): Promise<number> {
  const isWanted = form.condition === undefined ? () => true : asUsage(() => packetCondition(form.condition!));
  if (form.follow === true) {
    // A trace that is being recorded has no end, which is nothing to tell of.
    const trace = await openGrowing(path);
    const shown = new Shown(form, isWanted, printing.print, new WhoseLines([{ name: undefined }]));
    return await follow(path, new Following(readerOf(readDescription(trace.header.machine, path)), shown), printing);
  }
  const machines = machinesIn(path);
  return await readAll(machines, new Shown(form, isWanted, printing.print, new WhoseLines(machines)));
}

const readerOf = (machine: MachineDescription): PacketReader => new PacketReader({ ...machine, net: wiresOf(machine) });

/** Says what is wanted, up to the limit. */
class Shown {
  private left: number;
  private readonly form: PacketsForm;
  private readonly isWanted: (told: PacketTold) => boolean;
  private readonly print: Print;
  private readonly whose: WhoseLines;

  constructor(form: PacketsForm, isWanted: (told: PacketTold) => boolean, print: Print, whose: WhoseLines) {
    this.left = form.limit;
    this.whose = whose;
    this.form = form;
    this.isWanted = isWanted;
    this.print = print;
  }

  get isFull(): boolean {
    return this.left <= 0;
  }

  take(told: PacketTold, machine = 0): void {
    if (this.isFull || !this.isWanted(told)) return;
    this.left -= 1;
    const { whose } = this;
    const { json, hex, width } = this.form;
    const line = json === true ? '' : fitted(whose.line(machine, packetLine(told)), width);
    this.print(json === true ? whose.json(machine, packetJson(told), undefined) : line);
    if (hex === true) for (const row of hexDump(told.stamped.event.bytes)) this.print(whose.line(machine, row));
  }
}

/** How far somebody has read a trace that may grow. */
class Following {
  private readonly reader: PacketReader;
  private readonly shown: Shown;
  private next: Seq = 0;

  constructor(reader: PacketReader, shown: Shown) {
    this.reader = reader;
    this.shown = shown;
  }

  get isFull(): boolean {
    return this.shown.isFull;
  }

  /** Read what there is beyond that. Damage is a sentence, once. */
  *on(trace: TraceReader): Work<{ readonly damage: string | undefined }> {
    let told = 0;
    try {
      for (const stamped of inOrder(trace, this.next, tellsOfPackets)) {
        this.next = stamped.seq + 1;
        const packet = this.reader.next(stamped);
        if (packet !== undefined) this.shown.take(packet);
        if (this.isFull) break;
        told += 1;
        if (told % PIECE === 0) yield stamped.seq / trace.eventCount;
      }
    } catch (damage) {
      if (!(damage instanceof TraceDamage)) throw damage;
      return { damage: damage.message };
    }
    return { damage: undefined };
  }
}

/** Who sees lines come needs no progress between them. */
const seesLines = (): boolean => process.stdout.isTTY === true || process.env['COLUMNS'] !== undefined;

async function readAll(machines: readonly MachineIn[], shown: Shown): Promise<number> {
  const readers = machines.map(({ description }) => readerOf(description));
  const work = function* (): Work<{ readonly status: number }> {
    const sound = new SoundMachines(machines, tellsOfPackets);
    let told = 0;
    for (const { machine, stamped } of sound.byClock()) {
      const packet = readers[machine]!.next(stamped);
      if (packet !== undefined) shown.take(packet, machine);
      if (shown.isFull) break;
      told += 1;
      if (told % PIECE === 0) yield stamped.seq / machines[machine]!.trace.eventCount;
    }
    return { status: sound.status };
  };
  const done = await attended(seesLines() ? undefined : 'Reading', work());
  return done === undefined ? INTERRUPTED : done.status;
}

/** A trace that is being recorded: one that has just begun is waited for. */
async function openGrowing(path: string): Promise<TraceReader> {
  for (;;) {
    const isBegun = isWritten(path);
    try {
      return openTraceFile(path, { acceptCut: true });
    } catch (problem) {
      if (!(problem instanceof Problem) || !isBegun) throw problem;
      await sleep(LOOK_AGAIN_MS);
    }
  }
}

/** Until the recording ends, its recorder is gone, or somebody stops it. */
async function follow(path: string, following: Following, { flush }: Printing): Promise<number> {
  const interrupt = hearInterrupt();
  try {
    for (;;) {
      // Whether anybody writes is asked first: what they wrote last is read then.
      const goesOn = isWritten(path);
      const trace = openTraceFile(path, { acceptCut: true });
      const done = await attended(undefined, following.on(trace));
      trace.close();
      flush();
      if (done === undefined || interrupt.isAsked) return INTERRUPTED;
      if (done.damage !== undefined) {
        complain(done.damage);
        return 1;
      }
      if (following.isFull || trace.cut === undefined) return 0;
      if (!goesOn) {
        complain(trace.cut);
        return 0;
      }
      await sleep(LOOK_AGAIN_MS);
    }
  } finally {
    interrupt.close();
  }
}

/** `retrovisor packets --fields`: what a condition may name. */
export function printFields(print: Print): void {
  const rows = [
    ...Object.entries({ ...OWN_FIELDS, ...FLOW_FIELDS }).map(([name, { type, help }]) => [name, type, help] as const),
    ...Object.entries(EITHER_FIELDS).map(([name, all]) => [name, 'any', `${all.join(' or ')}`] as const),
    ...PROTOCOLS.map((name) => [name, 'flag', 'the packet has such a header'] as const),
    ['packet', 'number', 'its number, for `why packet:N`'] as const,
    ['client', 'text', 'who sent it'] as const,
    ['peer', 'text', 'who is at the other end of the wire'] as const,
    ['seq, tick, ns', 'number', 'event, instruction and virtual time at which it was sent'] as const,
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, type, help] of rows) print(`${name.padEnd(width)}  ${type.padEnd(7)}  ${help}`);
}
