/** Standing in several machines that were recorded together: one is in front, and another can be at the same moment. */
import { Problem, shortly } from '../../base/problem.ts';
import type { Ns } from '../../base/units.ts';
import type { Work } from '../../base/work.ts';
import { Moments } from '../../replay/places.ts';
import type { Mark } from '../../replay/timeline.ts';
import type { RecordedMachines } from '../../runs/fabric/recorded-machines.ts';
import { type Answer, answering } from './prompt.ts';
import { type DebugSession, describePlace, type Neighbours, openDebugSession } from '../session.ts';

/** Where a machine stood when one turned to it or away from it, and when that was by the clock of all. */
interface Stood {
  readonly ns: Ns;
  readonly mark: Mark;
}

/** What one machine's session knows of the others. `session`: theirs. */
export const neighboursIn = (
  machines: RecordedMachines,
  own: number,
  session: (machine: number) => DebugSession,
): Neighbours => ({
  ...{ names: machines.names, own, session },
  get runs() {
    return machines.runs;
  },
  get passages() {
    return machines.passages;
  },
});

/** Sessions of all machines of a recording, each opened when somebody turns to it or asks something of it. */
export class Company {
  readonly names: readonly string[];
  private readonly machines: RecordedMachines;
  private readonly sessions: (DebugSession | undefined)[] = [];
  private readonly stood: (Stood | undefined)[] = [];
  private readonly moments: Moments[] = [];
  private front: number;

  /** `front`: the machine that is asked first. */
  constructor(machines: RecordedMachines, front: number) {
    this.machines = machines;
    this.names = machines.names;
    this.front = front;
  }

  /** The machine that is asked. */
  get session(): DebugSession {
    return this.sessionOf(this.front);
  }

  /** Its name. */
  get name(): string {
    return this.names[this.front]!;
  }

  /** Answer a line of the prompt. */
  *answering(line: string): Work<Answer> {
    const [, words] = /^\s*vm\b\s*(.*?)\s*$/.exec(line) ?? [];
    if (words === undefined) return yield* answering(this.session, line);
    try {
      return { text: words === '' ? this.list() : yield* this.turnTo(words), isProblem: false };
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      return { text: problem.message, isProblem: true };
    }
  }

  private sessionOf(machine: number): DebugSession {
    const { machines } = this;
    const known = this.sessions[machine];
    if (known !== undefined) return known;
    const session = openDebugSession(machines.timeline(machine));
    session.neighbours = neighboursIn(machines, machine, (other) => this.sessionOf(other));
    this.sessions[machine] = session;
    return session;
  }

  private momentsOf(machine: number): Moments {
    const { events, machine: pace } = this.machines.runs[machine]!;
    this.moments[machine] ??= new Moments({ events, pace });
    return this.moments[machine];
  }

  private list(): string {
    const ns = this.momentOf(this.front);
    return [...this.names.map((name, at) => `${at === this.front ? '> ' : '  '}${name}`), `It is @${ns}ns.`].join('\n');
  }

  /** The moment of the clock of all at which a machine stands: where one has turned to it, the one that was meant. */
  private momentOf(machine: number): Ns {
    const { now, run } = this.sessionOf(machine);
    const stood = this.stood[machine];
    return stood !== undefined && isSame(stood.mark, now) ? stood.ns : run.timeline.machine.now();
  }

  /** Stand in another machine, where it stood at the moment at which the one before stands. */
  private *turnTo(name: string): Work<string> {
    const machine = this.names.indexOf(name);
    if (machine < 0) throw new Problem(`There is no machine ${shortly(name)}: there are ${this.names.join(', ')}.`);
    const ns = this.momentOf(this.front);
    this.stood[this.front] = { ns, mark: this.session.now };
    const session = this.sessionOf(machine);
    let over = '';
    const stood = this.stood[machine];
    if (stood?.ns !== ns || !isSame(stood.mark, session.now)) {
      const { mark, endNs } = yield* this.momentsOf(machine).standingAt(ns);
      yield* session.going(mark);
      if (endNs !== undefined) over = `${name} was over at @${endNs}ns.\n`;
      this.stood[machine] = { ns, mark: session.now };
    }
    this.front = machine;
    return `${over}${name} @${ns}ns: ${describePlace(session)}`;
  }
}

const isSame = (one: Mark, other: Mark): boolean => one.seq === other.seq && one.tick === other.tick;
