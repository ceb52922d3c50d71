import { Command, CommanderError } from 'commander';
import { NODE } from '../host/node.ts';
import { complain } from '../host/output.ts';
import { GUEST_FAILED } from '../reducers/run.ts';
import { openTerminal, statusOf, type Terminal } from '../host/terminal.ts';
import { machinesAsked } from '../options/machine-file.ts';
import { gdbWanted } from '../options/gdb-options.ts';
import { typedAtMachines } from '../options/typed-line.ts';
import { UsageProblem } from '../options/usage.ts';
import { LiveMachines } from '../gdb/live-machines.ts';
import type { GdbServer } from '../gdb/server.ts';
import { type Fabric, openFabric, type Plan } from '../runs/fabric/open-fabric.ts';
import { typedAt } from '../runs/run-inputs.ts';
import type { HostSockets } from '../runs/underway/host-sockets.ts';
import { openSockets } from '../runs/underway/open-sockets.ts';
import type { OutputTo } from '../runs/underway/printed.ts';
import { type Typist, typist } from '../runs/underway/typist.ts';
import type { GdbWanted } from './gdb.ts';
import { escapeAtStart, type KeyMeaning, keyMeanings } from './escape.ts';
import { Feed } from './feed.ts';
import { LONGEST_WAIT_MS, SILENCE_SKIPPED_NS, SLICE_MS } from './pace.ts';
import { Prefixed } from './prefixed.ts';
import { collect } from '../options/collect.ts';

interface Asked {
  readonly machine: string;
  readonly seed: string;
  readonly trace: string | false;
  readonly wallClock?: string;
  readonly checkpoints?: boolean;
  readonly quiet?: boolean;
  readonly gdb?: string;
  readonly s?: boolean;
  readonly S?: boolean;
  readonly allowWrite?: string;
  readonly type: readonly string[];
}

/** The command line of a run of several machines. */
function command(): Command {
  return new Command('retrovisor run --machine FILE')
    .description('Boot the machines a file describes, joined as it says, recorded into one file.')
    .requiredOption('--machine <file>', 'which machines, with the options of `run`, and what joins them')
    .option('--seed <text>', 'the seed all chance is drawn from; each machine draws its own', '1')
    .option('--trace <file>', 'where all of them are recorded', 'retrovisor.trace')
    .option('--no-trace', 'do not record')
    .option('--checkpoints', 'leave checkpoints of each beside that, as `retrovisor index` does afterwards')
    .option('--wall-clock <time>', "time at power-on: ISO form or seconds since 1970 (default: the host's)")
    .option('--type <machine=after:wait:text>', 'type TEXT at a machine once it has printed WAIT', collect, [])
    .option('--gdb <where>', 'let gdb come, as `-gdb tcp::PORT`: each machine is an inferior')
    .option('-s', 'the same as -gdb tcp::1234')
    .option('-S', 'not one instruction before gdb says `continue`')
    .option('--allow-write <dir>', 'let commands of that gdb write files, in this folder only')
    .option('--quiet', 'say neither what is recorded where at the start, nor at the end what it came to')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
}

const NS_PER_S = 1_000_000_000n;

/** What is asked of a run. */
interface AskedRun {
  readonly plan: Plan;
  readonly quiet: boolean;
  readonly file: string;
  readonly debugger: GdbWanted;
}

function planOf(argv: readonly string[]): AskedRun {
  const options = command();
  try {
    options.parse(
      argv.map((token) => (/^(-machine|-M)$/.test(token) ? '--machine' : token === '-gdb' ? '--gdb' : token)),
      { from: 'user' },
    );
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode === 0) throw error;
    const said = error.message.replace(/^error: /, '');
    throw new UsageProblem(`${said}: what is about one machine stands in the file of --machine.`);
  }
  const asked = options.opts<Asked>();
  const { machine, seed, trace, wallClock, checkpoints = false, quiet = false } = asked;
  const wanted = { ...gdbWanted(asked), startsStopped: asked.S === true };
  if (wanted.startsStopped && wanted.gdb === undefined) throw new UsageProblem('-S needs -gdb or -s here.');
  if (checkpoints && trace === false) throw new UsageProblem('--checkpoints needs a trace.');
  const plan = machinesAsked(machine, NODE.images.read('machines', machine), {
    ...{ seed, trace: trace === false ? undefined : trace },
    wallClock: wallClock ?? `${NODE.wallClock() / NS_PER_S}`,
  });
  const machines = typedAtMachines(asked.type, plan.machines);
  return { plan: { ...plan, machines, checkpoints, gdb: wanted.gdb }, quiet, file: machine, debugger: wanted };
}

/** `retrovisor run --machine FILE`. Resolves to the process status. */
export async function runMachines(argv: readonly string[]): Promise<number> {
  const { plan, quiet, file, debugger: wanted } = planOf(argv);
  const names = plan.machines.filter(({ options: { cpus } }) => cpus > 0).map(({ name }) => name);
  const terminal = openTerminal(true);
  const printed = new Prefixed(names, (bytes) => terminal.write(bytes));
  const scripts = new Map(plan.machines.map(({ name, options: { typed } }) => [name, typist(typed)]));
  const sockets: (HostSockets | undefined)[] = [];
  try {
    for (const { options } of plan.machines) sockets.push(await openSockets(NODE, options));
    const output = (name: string): OutputTo => ({
      serial(line, bytes) {
        if (line !== 0) return;
        scripts.get(name)?.hear(bytes);
        printed.print(name, bytes);
      },
      character: () => undefined,
      rouse: terminal.rouse,
      notice: (sentence) => complain(`${name}: ${sentence}`),
    });
    const fabric = openFabric(NODE, plan, output, sockets);
    const forget = NODE.atExit(() => fabric.close());
    let server: GdbServer | undefined;
    try {
      for (const warning of plan.warnings ?? []) complain(warning);
      for (const { name, warning } of fabric.warnings) complain(`${name}: ${warning}`);
      if (!quiet) complain(openingOf(plan, file, terminal));
      const held = wanted.gdb === undefined ? undefined : new LiveMachines(fabric, wanted.startsStopped);
      if (held !== undefined) server = await (await import('./gdb.ts')).serveMachines(held, names, wanted);
      return await new Console(fabric, { names, terminal, printed, scripts, held }).run();
    } finally {
      server?.close();
      try {
        for (const { session } of fabric.lanes) session.live?.toItsEnd();
        fabric.close();
      } finally {
        forget();
      }
      printed.endLine();
      if (!quiet) complain(closingOf(plan, fabric));
    }
  } finally {
    for (const each of sockets) each?.close();
    terminal.close();
  }
}

function openingOf({ machines, trace }: Plan, file: string, { interactive }: Terminal): string {
  const who = machines.map(({ name }) => name).join(', ');
  const what = trace === undefined ? `running ${who} of ${file}, not recorded` : `recording ${who} into ${trace}`;
  const keys = `Keys are ${machines[0]!.name}'s; Ctrl-A n gives them to the next, Ctrl-A x ends the run.`;
  return `${what}. ${interactive ? keys : 'Ctrl-C ends the run.'}`;
}

function closingOf({ machines, trace }: Plan, { lanes }: Fabric): string {
  const each = lanes.map(({ session, end }, at) => {
    const { ticks, events, virtualNs } = session.figures();
    const { name, serves } = machines[at]!;
    const served = end === undefined && serves === true ? ' It served, and was not waited for.' : '';
    const ended = end?.sentence === undefined ? served : ` ${end.sentence}`;
    const figures = `${events} events, ${ticks} instructions, ${(virtualNs / 1e9).toFixed(3)} s of virtual time`;
    return `${name}: ${figures}.${ended}`;
  });
  const first = machines[0]!.name;
  const next =
    trace === undefined
      ? 'Nothing was recorded.'
      : `\`retrovisor verify ${trace}\` runs all of it again, \`retrovisor debug ${trace}:${first}\` goes back in one.`;
  return [...each, next].join('\n');
}

interface Company {
  readonly names: readonly string[];
  readonly terminal: Terminal;
  readonly printed: Prefixed;
  readonly scripts: ReadonlyMap<string, Typist>;
  /** Where a gdb may come. */
  readonly held: LiveMachines | undefined;
}

const NS_PER_MS = 1e6;
const NOBODY = { isHeld: false };
/** Between two looks at lines that do not end. */
const PROMPT_MS = 50;
/** How soon a run that gdb lets go on goes on. */
const HELD_WAIT_MS = 5;

/** The terminal, and the machines behind it. */
class Console {
  private readonly fabric: Fabric;
  private readonly company: Company;
  private readonly feeds: readonly Feed[];
  private readonly escape = escapeAtStart();
  /** Whose the keys are. */
  private front = 0;
  private isQuit = false;
  private shownAt = 0;
  /** All wait until then, which comes at this time of the host's. */
  private idle: { readonly untilNs: number; readonly wakeAt: number } | undefined;

  constructor(fabric: Fabric, company: Company) {
    this.fabric = fabric;
    this.company = company;
    this.feeds = company.names.map(() => new Feed(0));
  }

  async run(): Promise<number> {
    const { terminal } = this.company;
    for (;;) {
      const signal = terminal.signal();
      if (signal !== undefined) return statusOf(signal);
      this.takeKeys();
      if (this.isQuit || this.company.held?.isKilled === true) return 0;
      const pause = this.runSlice();
      if (pause === 'ended' && !this.isKept()) return this.status();
      if (pause === 'idle' && this.nobodyTypes() && !this.isAwaited) return this.halted();
      for (const { session } of this.fabric.lanes) session.flush();
      this.showPrompts();
      await terminal.wait(pause === 'slice' ? 0 : pause === 'held' ? HELD_WAIT_MS : this.waitMs());
    }
  }

  private runSlice(): 'slice' | 'held' | 'waiting' | 'idle' | 'ended' {
    const { all } = this.fabric;
    const { held } = this.company;
    const end = NODE.milliseconds() + SLICE_MS;
    do {
      if (held?.isHeld === true) return 'held';
      held?.toTheirEnds();
      this.type();
      if (this.isEarly()) return 'waiting';
      const { pause } = all.step(held ?? NOBODY);
      if (pause !== 'slice') return pause;
    } while (NODE.milliseconds() < end);
    return 'slice';
  }

  /** A line that has not ended for a while may be a prompt. */
  private showPrompts(): void {
    const now = NODE.milliseconds();
    if (now - this.shownAt < PROMPT_MS) return;
    this.shownAt = now;
    this.company.printed.showOld();
  }

  /** A run that ends before gdb's eyes is kept until gdb has left. */
  private isKept(): boolean {
    const { held } = this.company;
    if (held?.isWatched !== true) return false;
    held.areOver();
    return true;
  }

  /** All wait, and a person does, too: what is next comes in real time. */
  private isEarly(): boolean {
    const { all } = this.fabric;
    const next = all.nextMoment();
    if (next === Infinity || next <= all.now() || !this.isPaced()) {
      this.idle = undefined;
      return false;
    }
    const now = NODE.milliseconds();
    if (this.idle?.untilNs !== next) this.idle = { untilNs: next, wakeAt: now + (next - all.now()) / NS_PER_MS };
    return now < this.idle.wakeAt;
  }

  private waitMs(): number {
    const left = (this.idle?.wakeAt ?? Infinity) - NODE.milliseconds();
    return Math.max(0, Math.min(left, LONGEST_WAIT_MS));
  }

  /** Somebody of the host's network may be about to say something to one of them. */
  private get isAwaited(): boolean {
    return this.fabric.lanes.some(({ session }, at) => session.isAwaited && !this.fabric.all.hasEnded(at));
  }

  private isPaced(): boolean {
    if (this.isAwaited) return true;
    if ([...this.company.scripts.values()].some((script) => script.waitingFor() !== undefined)) return false;
    return !this.nobodyTypes() || this.fabric.lanes.every(({ session }) => session.silence() >= SILENCE_SKIPPED_NS);
  }

  private nobodyTypes(): boolean {
    return this.company.terminal.ended() && this.feeds.every(({ isEmpty }) => isEmpty);
  }

  private takeKeys(): void {
    const { terminal } = this.company;
    if (this.feeds[this.front]!.isFull && !terminal.interactive) return;
    for (const bytes of terminal.take()) {
      if (!terminal.interactive) this.feeds[this.front]!.add(bytes);
      else for (const meaning of keyMeanings(this.escape, bytes, MEANINGS)) this.press(meaning);
    }
  }

  private press(meaning: KeyMeaning<'next' | 'quit' | 'help'>): void {
    const { names, printed, terminal } = this.company;
    if (meaning.key === 'typed') {
      this.feeds[this.front]!.add(meaning.bytes);
      return;
    }
    if (meaning.key === 'quit') {
      this.isQuit = true;
      return;
    }
    if (meaning.key === 'next') this.front = (this.front + 1) % names.length;
    printed.endLine();
    const said = meaning.key === 'help' ? HELP : `Keys are ${names[this.front]!}'s.\n`;
    terminal.write(said.replaceAll('\n', '\r\n'));
  }

  /** Hand on what was typed, and what scripts type. */
  private type(): void {
    const { all, lanes } = this.fabric;
    for (const [at, { session, inbox }] of lanes.entries()) {
      if (at >= this.feeds.length || all.hasEnded(at) || inbox.isSpokenTo) continue;
      const send = (bytes: Uint8Array): void => all.send(at, typedAt(0, bytes));
      const scripted = this.company.scripts.get(this.company.names[at]!)?.next();
      if (scripted !== undefined) send(scripted);
      else if (this.company.terminal.interactive || session.listens(0)) {
        this.feeds[at]!.pass({ type: (_line, bytes) => send(bytes), waiting: (line) => session.waiting(line) });
      }
    }
  }

  /** The first that did not end well decides. */
  private status(): number {
    return this.fabric.lanes.map(({ end }) => end?.status ?? 0).find((status) => status !== 0) ?? 0;
  }

  private halted(): number {
    const { names } = this.company;
    const waiting = names.filter((_name, at) => !this.fabric.all.hasEnded(at)).join(', ');
    complain(
      `${waiting}: halted, and nothing is left that could wake any of them. ` +
        'A machine nobody is to wait for stands in "servers" of the file.',
    );
    return this.status() || GUEST_FAILED;
  }
}

const MEANINGS = { x: 'quit', n: 'next', h: 'help', '?': 'help' } as const;

const HELP = [
  'C-a h    this help',
  'C-a n    keys go to the next machine',
  'C-a x    end the run',
  'C-a C-a  send C-a',
  '',
].join('\n');
