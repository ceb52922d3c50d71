/** The machines of a file, for commands that only look: one, or the several of a joint recording. */
import { labelsOf } from '../base/labels.ts';
import type { Ns } from '../base/units.ts';
import { jointAt } from '../host/trace-source.ts';
import type { TraceReader } from '../replay/trace/reader.ts';
import { byClock, type Paced, type TimedOf } from '../runs/fabric/by-clock.ts';
import { UsageProblem } from '../options/usage.ts';
import { type MachineDescription, readDescription } from '../runs/machine/machine-description.ts';
import { openToLook, SoundEvents } from './trace-commands.ts';

/** A machine and its trace. */
export interface MachineIn {
  /** Its name among several; undefined: it is the only one. */
  readonly name: string | undefined;
  /** Of its trace. */
  readonly path: string;
  readonly trace: TraceReader;
  readonly description: MachineDescription;
}

/** Open what a path names: a trace, or those of all machines of a joint recording, in the order of the file. */
export function machinesIn(path: string): MachineIn[] {
  const names = jointAt(path)?.machines.map(({ name }) => name) ?? [undefined];
  return names.map((name) => {
    const own = name === undefined ? path : `${path}:${name}`;
    const trace = openToLook(own);
    return { name, path: own, trace, description: readDescription(trace.header.machine, own) };
  });
}

/** The machine a path names. Throws a UsageProblem for a recording of several: `option` is asked of one. */
export function oneMachineIn(path: string, option: string): MachineIn {
  const [machine, ...more] = machinesIn(path);
  if (machine !== undefined && more.length === 0) return machine;
  throw new UsageProblem(`${option} is asked of one machine: ${machine?.path ?? path}, or another by its name.`);
}

/** The events of all of several machines, as far as they can be read. */
export class SoundMachines {
  private readonly sound: readonly SoundEvents[];
  private readonly runs: readonly Paced[];

  /** Of kinds that are not wanted only some are read. */
  constructor(machines: readonly MachineIn[], isWanted?: (kind: string) => boolean) {
    this.sound = machines.map(({ trace }) => new SoundEvents(trace));
    this.runs = machines.map(({ description }, at) => ({
      events: this.sound[at]!.inOrder(isWanted),
      pace: description,
    }));
  }

  /** By the clock of all, once. */
  byClock(): Generator<TimedOf, void> {
    return byClock(this.runs);
  }

  /** Of a process that has read them. */
  get status(): number {
    return Math.max(...this.sound.map(({ status }) => status));
  }
}

/** Tell a reader every event of all, by the clock of all, until it has enough. Returns the status. */
export function readTogether(machines: readonly MachineIn[], read: (told: TimedOf) => boolean): number {
  const sound = new SoundMachines(machines);
  for (const told of sound.byClock()) if (!read(told)) break;
  return sound.status;
}

/** Says of lines which machine they speak of, where there are several. */
export class WhoseLines {
  private readonly prefixes: readonly string[];
  private readonly members: readonly string[];
  private readonly names: readonly (string | undefined)[];

  constructor(machines: readonly Pick<MachineIn, 'name'>[]) {
    const names = machines.map(({ name }) => name);
    this.names = names;
    const known = names.filter((name) => name !== undefined);
    this.prefixes = known.length === 0 ? names.map(() => '') : labelsOf(known);
    this.members = names.map((name) => (name === undefined ? '' : `"machine":${JSON.stringify(name)},`));
  }

  /** For people. A line without anything ends with its label, and a lone machine's is as it is. */
  line(machine: number, line: string): string {
    const prefix = this.prefixes[machine]!;
    return line === '' ? prefix.trimEnd() : `${prefix}${line}`;
  }

  /** What stands above them. */
  blank(line: string): string {
    return `${' '.repeat(this.prefixes[0]?.length ?? 0)}${line}`;
  }

  /** A row of CSV with its machine as the first column; `machine` undefined: what that is called. */
  cell(machine: number | undefined, row: string): string {
    if (this.names[0] === undefined) return row;
    return `${machine === undefined ? 'machine' : this.names[machine]},${row}`;
  }

  /** One JSON object, with its machine, and its time if that is not among its members, as the first of them. */
  json(machine: number, object: string, ns: Ns | undefined): string {
    const member = this.members[machine];
    if (member === '') return object;
    return `{${member}${ns === undefined ? '' : `"ns":${ns},`}${object.slice(1)}`;
  }
}
