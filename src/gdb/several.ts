/**
 * The machines of one recording, or of a run under way, as processes of one gdb: machine n is process n + 1, its vCPUs
 * are that one's threads. A person has gdb attach to each but the first, as with QEMU: it asks no description of one it
 * is only told of. All have one clock: where one has gone, the others stand at that moment. GDB manual, "Remote
 * Protocol", `multiprocess`; tried with gdb 13.
 */
import type { Ns } from '../base/units.ts';
import type { Arrived, Journey } from '../debugger/travel/travel.ts';
import { type Conversation, type Served, talkAbout } from './conversation.ts';
import { hexNumber, hexText } from './packet.ts';
import type { Sentences } from './monitor.ts';
import { type Answer, freshStub } from './stub.ts';
import type { StubSubject } from './stub-subject.ts';
import { oneByOne, type Together, type Way, WAYS } from './together.ts';

/** A machine whose place follows from the clock of all. */
export interface MachineSubject extends StubSubject {
  readonly name: string;
  /** Stand where it stood at a virtual time. */
  follow(ns: Ns): Generator<void, void, void>;
}

/** Several machines. `front`: whose threads gdb is told of first. `together`: how they go; as recorded ones do. */
export const severalMachines = (
  subjects: readonly MachineSubject[],
  front: number,
  together: Together = oneByOne((machine) => subjects[machine]!.moment().ns),
): Served => ({
  begin() {
    for (const subject of subjects) subject.joined();
    return new SeveralTalks(subjects, front, together);
  },
  left(killed) {
    for (const subject of subjects) subject.left(killed);
  },
  rests: () => subjects.some((subject) => subject.rests()),
  takeNotices: () => subjects.flatMap((subject) => subject.takeNotices()),
  problem: () => subjects.map((subject) => subject.problem()).find((sentence) => sentence !== undefined),
});

const reply = (body: string): Answer => ({ kind: 'reply', body });
const NO_THREAD = 'E01';

/** A thread as gdb names it; undefined: every one, or any. */
interface Named {
  readonly machine: number | undefined;
  /** As it is called in its process. */
  readonly thread: string;
}

class SeveralTalks implements Conversation {
  private readonly subjects: readonly MachineSubject[];
  private readonly talks: readonly Conversation[];
  private readonly way: Together;
  /** Those gdb has not attached to, or has left. */
  private readonly detached = new Set<number>();
  /** Of `Hg`, and where the last stop was. */
  private general: number;
  /** Of `Hc`; undefined: all, or any. */
  private resumed: number | undefined;
  /** gdb knows of processes; else it is shown one machine. */
  private isMany = false;

  constructor(subjects: readonly MachineSubject[], front: number, together: Together) {
    this.subjects = subjects;
    this.way = together;
    this.talks = subjects.map((subject) => talkAbout(subject, freshStub(subject)));
    this.general = front;
    for (const machine of subjects.keys()) if (machine !== front) this.detached.add(machine);
  }

  get acknowledges(): boolean {
    return this.talks[0]!.acknowledges;
  }

  answer(body: string): Answer {
    if (body.startsWith('qSupported')) {
      this.isMany = /[:;]multiprocess\+/.test(body);
      const answer = this.talks[0]!.answer(body);
      return this.isMany && answer.kind === 'reply' ? reply(`${answer.body};multiprocess+`) : answer;
    }
    // What is about the connection is said once for all.
    if (body === 'QStartNoAckMode') return this.talks.map((talk) => talk.answer(body))[0]!;
    if (!this.isMany) return this.ask(this.general, body);
    const handler = HANDLERS.find(([prefix]) => body.startsWith(prefix));
    return handler === undefined ? this.ask(this.general, body) : handler[1](this, body.slice(handler[0].length), body);
  }

  arrive(stop: Arrived, signal?: string): string {
    this.resumed = undefined;
    const said = this.talks[this.general]!.arrive(stop, signal);
    return this.isMany ? withProcess(said, this.general) : said;
  }

  *halt(): Journey {
    const stop = yield* this.talks[this.general]!.halt();
    yield* this.gather();
    return stop;
  }

  told(): void {
    for (const talk of this.talks) talk.told();
  }

  // What the packets that speak of threads do.

  select(rest: string): Answer {
    const named = this.named(rest.slice(1));
    if (named === undefined) return reply(NO_THREAD);
    if (rest.startsWith('c')) this.resumed = named.machine;
    else this.general = named.machine ?? this.general;
    return this.ask(named.machine ?? this.general, `H${rest[0]}${named.thread}`);
  }

  isAlive(rest: string): Answer {
    const named = this.named(rest);
    return named?.machine === undefined ? reply(NO_THREAD) : this.ask(named.machine, `T${named.thread}`);
  }

  threads(): Answer {
    const all = this.present().flatMap((machine) =>
      Array.from(
        { length: this.subjects[machine]!.vcpus },
        (_, vcpu) => `p${processOf(machine)}.${(vcpu + 1).toString(16)}`,
      ),
    );
    return reply(`m${all.join(',')}`);
  }

  about(rest: string): Answer {
    const named = this.named(rest);
    if (named?.machine === undefined) return reply(NO_THREAD);
    const answer = this.ask(named.machine, `qThreadExtraInfo,${named.thread}`);
    if (answer.kind !== 'reply' || answer.body.startsWith('E')) return answer;
    return reply(`${hexText(`${this.subjects[named.machine]!.name} `)}${answer.body}`);
  }

  current(): Answer {
    const answer = this.ask(this.general, 'qC');
    return answer.kind === 'reply' ? reply(answer.body.replace(/^QC/, `QCp${processOf(this.general)}.`)) : answer;
  }

  stopped(): Answer {
    const answer = this.ask(this.general, '?');
    return answer.kind === 'reply' ? reply(withProcess(answer.body, this.general)) : answer;
  }

  attach(rest: string): Answer {
    const machine = this.machineOf(rest);
    if (machine === undefined) return reply(NO_THREAD);
    this.detached.delete(machine);
    this.general = machine;
    return this.stopped();
  }

  /** `;PID`: gdb leaves that process; it leaves for good once it has left all. */
  detach(rest: string, then: 'detach' | 'kill'): Answer {
    const machine = rest === '' ? undefined : this.machineOf(rest.slice(1));
    if (machine === undefined && rest !== '') return reply(NO_THREAD);
    if (machine === undefined) return { kind: 'reply', body: 'OK', then };
    this.detached.add(machine);
    const [next] = this.present();
    if (next === undefined) return { kind: 'reply', body: 'OK', then };
    if (this.general === machine) this.general = next;
    return reply('OK');
  }

  /** Actions of one process are its own; a step is of one, whoever else goes on beside it. */
  resume(rest: string): Answer {
    const actions = rest.split(';').map((text) => {
      const [does = '', thread] = text.split(':');
      return { does, named: thread === undefined ? EVERYBODY : this.named(thread) };
    });
    if (actions.some(({ named }) => named === undefined)) return reply(NO_THREAD);
    const stepping = actions.find(({ does }) => !/^c/i.test(does))?.named?.machine;
    const named = new Set(actions.map((action) => action.named?.machine));
    const only = stepping ?? (named.size === 1 ? [...named][0] : undefined);
    if (only === undefined) return { kind: 'journey', journey: this.together(WAYS.on) };
    const own = actions.filter((action) => action.named?.machine === undefined || action.named.machine === only);
    return this.goes(only, `vCont;${own.map(({ does, named: of }) => `${does}${threadOf(of)}`).join(';')}`);
  }

  /** `bc`, `bs`, `c` and `s` are of the process of `Hc`. */
  travel(body: string): Answer {
    if (this.resumed === undefined && body === 'bc') return { kind: 'journey', journey: this.together(WAYS.back) };
    if (this.resumed === undefined && body === 'c') return { kind: 'journey', journey: this.together(WAYS.on) };
    return this.goes(this.resumed ?? this.general, body);
  }

  /** One goes somewhere, and the others stand at that moment then. */
  private goes(machine: number, body: string): Answer {
    this.general = machine;
    return this.ask(machine, body);
  }

  /** Ask one of them; where it goes then, the others are at that moment. */
  private ask(machine: number, body: string): Answer {
    const answer = this.talks[machine]!.answer(body);
    if (answer.kind === 'journey') return { kind: 'journey', journey: this.gathered(machine, answer.journey) };
    if (answer.kind === 'sentences') return { kind: 'sentences', sentences: this.gathered(machine, answer.sentences) };
    return answer;
  }

  private *gathered<T extends Arrived | string>(machine: number, way: Journey | Sentences): Generator<void, T, void> {
    const came = yield* this.way.beside(machine, way as Generator<void, T, void>);
    yield* this.gather();
    return came;
  }

  /**
   * The others to where they stood at the moment at which the one does that was spoken of; those as well that gdb has
   * not attached to, which is answered at once then.
   */
  private *gather(): Generator<void, void, void> {
    yield* this.way.reach(this.general);
    const { ns } = this.subjects[this.general]!.moment();
    for (const [machine, subject] of this.subjects.entries()) if (machine !== this.general) yield* subject.follow(ns);
  }

  /** All go, and the first that meets a stop ends it. */
  private *together(way: Way): Journey {
    const goers = this.present().flatMap((machine) => {
      const answer = this.talks[machine]!.answer(way.packet);
      return answer.kind === 'journey' ? [{ machine, journey: answer.journey }] : [];
    });
    const met = yield* this.way.meet(goers, way);
    this.general = met?.machine ?? this.general;
    yield* this.gather();
    return met?.stop ?? (yield* this.talks[this.general]!.halt());
  }

  private present(): number[] {
    return this.subjects.map((_subject, machine) => machine).filter((machine) => !this.detached.has(machine));
  }

  private machineOf(text: string): number | undefined {
    const process = hexNumber(text);
    return process !== undefined && process >= 1n && process <= BigInt(this.subjects.length)
      ? Number(process) - 1
      : undefined;
  }

  /** `pPID.TID`, with -1 for all and 0 for any, or what there is of it. Undefined: there is none. */
  private named(text: string): Named | undefined {
    if (text === '0' || text === '-1') return EVERYBODY;
    const [, process = '', thread = '-1'] = /^p([0-9a-f]+|-1)(?:\.([0-9a-f]+|-1))?$/.exec(text) ?? [];
    if (process === '-1' || process === '0') return EVERYBODY;
    const machine = this.machineOf(process);
    return machine === undefined ? undefined : { machine, thread };
  }
}

const EVERYBODY: Named = { machine: undefined, thread: '-1' };

const threadOf = (named: Named | undefined): string =>
  named === undefined || named.thread === '-1' || named.thread === '0' ? '' : `:${named.thread}`;

const processOf = (machine: number): string => (machine + 1).toString(16);

/** A stop's packet, with its thread as that of a process. */
const withProcess = (body: string, machine: number): string =>
  body.replace(/^(T..)thread:/, `$1thread:p${processOf(machine)}.`);

type Handler = (talks: SeveralTalks, rest: string, body: string) => Answer;

const whole =
  (handler: Handler): Handler =>
  (talks, rest, body) =>
    rest === '' ? handler(talks, rest, body) : reply('');

/** By prefix; the first that fits answers. What is not here is of the machine that is selected. */
const HANDLERS: readonly (readonly [string, Handler])[] = [
  ['!', whole(() => reply('OK'))],
  ['?', whole((talks) => talks.stopped())],
  ['H', (talks, rest) => talks.select(rest)],
  ['T', (talks, rest) => talks.isAlive(rest)],
  ['qfThreadInfo', (talks) => talks.threads()],
  ['qThreadExtraInfo,', (talks, rest) => talks.about(rest)],
  ['qC', whole((talks) => talks.current())],
  ['vCont;', (talks, rest) => talks.resume(rest)],
  ['vAttach;', (talks, rest) => talks.attach(rest)],
  ['vKill', (talks, rest) => talks.detach(rest, 'kill')],
  ['D', (talks, rest) => talks.detach(rest, 'detach')],
  ...['bc', 'bs', 'c', 's'].map((body) => [body, whole((talks) => talks.travel(body))] as const),
];
