import { Command, CommanderError } from 'commander';
import { NODE } from '../host/node.ts';
import { complain } from '../host/output.ts';
import { GUEST_FAILED } from '../reducers/run.ts';
import { openTerminal, statusOf, type Terminal } from '../host/terminal.ts';
import { machinesAsked } from '../options/machine-file.ts';
import { UsageProblem } from '../options/usage.ts';
import { type Fabric, openFabric, type Plan } from '../runs/fabric/open-fabric.ts';
import { typedAt } from '../runs/run-inputs.ts';
import { type Typist, typist } from '../runs/underway/typist.ts';
import { escapeAtStart, type KeyMeaning, keyMeanings } from './escape.ts';
import { Feed } from './feed.ts';
import { LONGEST_WAIT_MS, SILENCE_SKIPPED_NS, SLICE_MS } from './pace.ts';
import { Prefixed } from './prefixed.ts';

interface Asked {
  readonly machine: string;
  readonly seed: string;
  readonly trace: string | false;
  readonly wallClock?: string;
  readonly checkpoints?: boolean;
  readonly quiet?: boolean;
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
    .option('--quiet', 'say neither what is recorded where at the start, nor at the end what it came to')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
}

const NS_PER_S = 1_000_000_000n;

function planOf(argv: readonly string[]): { readonly plan: Plan; readonly quiet: boolean; readonly file: string } {
  const options = command();
  try {
    options.parse(
      argv.map((token) => (/^(-machine|-M)$/.test(token) ? '--machine' : token)),
      { from: 'user' },
    );
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode === 0) throw error;
    const said = error.message.replace(/^error: /, '');
    throw new UsageProblem(`${said}: what is about one machine stands in the file of --machine.`);
  }
  const { machine, seed, trace, wallClock, checkpoints = false, quiet = false } = options.opts<Asked>();
  if (checkpoints && trace === false) throw new UsageProblem('--checkpoints needs a trace.');
  const plan = machinesAsked(machine, NODE.images.read('machines', machine), {
    ...{ seed, trace: trace === false ? undefined : trace },
    wallClock: wallClock ?? `${NODE.wallClock() / NS_PER_S}`,
  });
  return { plan: { ...plan, checkpoints }, quiet, file: machine };
}

/** `retrovisor run --machine FILE`. Resolves to the process status. */
export async function runMachines(argv: readonly string[]): Promise<number> {
  const { plan, quiet, file } = planOf(argv);
  const names = plan.machines.filter(({ options: { cpus } }) => cpus > 0).map(({ name }) => name);
  const terminal = openTerminal(true);
  const printed = new Prefixed(names, (bytes) => terminal.write(bytes));
  const scripts = new Map(plan.machines.map(({ name, options: { typed } }) => [name, typist(typed)]));
  try {
    const fabric = openFabric(NODE, plan, (name) => ({
      serial(line, bytes) {
        if (line !== 0) return;
        scripts.get(name)?.hear(bytes);
        printed.print(name, bytes);
      },
      character: () => undefined,
      notice: (sentence) => complain(`${name}: ${sentence}`),
    }));
    const forget = NODE.atExit(() => fabric.close());
    try {
      for (const warning of plan.warnings ?? []) complain(warning);
      for (const { name, warning } of fabric.warnings) complain(`${name}: ${warning}`);
      if (!quiet) complain(openingOf(plan, file, terminal));
      return await new Console(fabric, { names, terminal, printed, scripts }).run();
    } finally {
      try {
        fabric.close();
      } finally {
        forget();
      }
      printed.endLine();
      if (!quiet) complain(closingOf(plan, fabric));
    }
  } finally {
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
}

const NS_PER_MS = 1e6;
const NOBODY = { isHeld: false };

/** The terminal, and the machines behind it. */
class Console {
  private readonly fabric: Fabric;
  private readonly company: Company;
  private readonly feeds: readonly Feed[];
  private readonly escape = escapeAtStart();
  /** Whose the keys are. */
  private front = 0;
  private isQuit = false;
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
      if (this.isQuit) return 0;
      const pause = this.runSlice();
      if (pause === 'ended') return this.status();
      if (pause === 'idle' && this.nobodyTypes()) return this.halted();
      for (const { session } of this.fabric.lanes) session.flush();
      await terminal.wait(pause === 'slice' ? 0 : this.waitMs());
    }
  }

  private runSlice(): 'slice' | 'waiting' | 'idle' | 'ended' {
    const { all } = this.fabric;
    const end = NODE.milliseconds() + SLICE_MS;
    do {
      this.type();
      if (this.isEarly()) return 'waiting';
      const { pause } = all.step(NOBODY);
      if (pause !== 'slice') return pause;
    } while (NODE.milliseconds() < end);
    return 'slice';
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

  private isPaced(): boolean {
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
