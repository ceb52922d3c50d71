import { Command } from 'commander';
import { VERSION } from '../host/program.ts';
import { printText } from '../host/output.ts';
import { withCut, withImages } from '../options/image-options.ts';
import { addTimeTravel } from './time-travel.ts';
import type { Outcome } from './outcome.ts';
import { addPackets } from './packet-commands.ts';
import { addReadingEvents } from './reading.ts';
import type { SpokenCommand } from './spoken.ts';
import type { Print } from './trace-commands.ts';
import { wholeNumber } from '../options/qemu-values.ts';
import { USAGE_STATUS, UsageProblem } from '../options/usage.ts';

const FURTHEST = Number.MAX_SAFE_INTEGER;
const SHORTEST_STRIDE = 1000;

const stride = (text: string): number => wholeNumber('--every', text, SHORTEST_STRIDE, FURTHEST);

/** Every command but `run`. What one uses is loaded when it is asked for. Resolves to the process status. */
export async function dispatch(argv: readonly string[]): Promise<number> {
  let status = 0;
  const { print, flush } = printer();
  const program = commandTable({
    print,
    flush,
    done: (reached) => {
      status = reached;
    },
  });
  if (argv.length === 0) {
    program.outputHelp();
    return USAGE_STATUS;
  }
  try {
    await program.parseAsync(await ofMachine(argv), { from: 'user' });
  } finally {
    flush();
  }
  return status;
}

/** `--vm NAME` says which machine of a recording of several is meant, as `FILE:NAME` does. */
async function ofMachine(argv: readonly string[]): Promise<string[]> {
  const at = argv.indexOf('--vm');
  if (at < 0) return [...argv];
  const { jointAt } = await import('../host/trace-source.ts');
  const name = argv[at + 1];
  const rest = argv.filter((_token, index) => index !== at && index !== at + 1);
  const file = rest.findIndex((token, index) => index > 0 && jointAt(token) !== undefined);
  if (name === undefined || file < 0) {
    throw new UsageProblem('--vm NAME goes with a recording of several machines: `retrovisor info FILE` lists them.');
  }
  return rest.map((token, index) => (index === file ? `${token}:${name}` : token));
}

/** What there is to say on the command line: help, the manual page and completions are made of it. */
export function commandTable(outcome: Outcome): Command {
  const program = new Command('retrovisor')
    .version(`Retrovisor ${VERSION}`, '-V, --version', 'print the version')
    .description('A hypervisor you can rewind: runs x86-64 guests, records every run, replays it bit for bit.')
    .option('--vm <name>', 'which machine of a recording of several; the same as FILE:NAME')
    .option(
      '--tier <word>',
      'which tier of the engine runs guests: handlers, or translated[,threshold=N]; the guest cannot tell',
    )
    .option('--no-pager', 'show long answers on a terminal as they come, without $PAGER')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  program.command('run').description('boot a guest, recorded (QEMU spelling; `run --help`)').argument('[options...]');
  addRunningAgain(program, outcome);
  addReadingEvents(program, outcome);
  addReading(program, outcome);
  addPackets(program, outcome);
  addWorld(program, outcome);
  addFolding(program, outcome);
  addPacking(program, outcome);
  addTimeTravel(program, outcome);
  program
    .command('tour')
    .description('our own guest: recorded, replayed in a second process, shown as events, causes and state')
    .action(async () => outcome.done(await (await import('./tour.ts')).tour()));
  program
    .command('completion <shell>')
    .description('print what makes a shell complete our commands and options: bash, zsh or fish')
    .action(async (shell) => {
      const { completion } = await import('./completion.ts');
      outcome.print(completion(shell, await spokenCommands(program)));
    });
  return program;
}

/** Every command with its options as people type them; `run` has QEMU's. */
export async function spokenCommands(program: Command): Promise<SpokenCommand[]> {
  const { runCommand } = await import('../options/run-arguments.ts');
  const { spokenOf } = await import('./spoken.ts');
  return program.commands.map((command) => spokenOf(command.name() === 'run' ? runCommand('run') : command));
}

/** What runs a trace's guest again. */
function addRunningAgain(program: Command, { print, done }: Outcome): void {
  withCut(withImages(program.command('replay <file>')))
    .description('run a trace again and compare every event; names the first divergence')
    .option('--console', "show the guest's console again, what a terminal would obey escaped")
    .option('--raw', 'show it byte for byte')
    .action(async (file, options) => {
      const { replay } = await import('./replay-commands.ts');
      done(await replay(file, options, print));
    });
  withImages(program.command('index <file>'))
    .description(
      'replay a trace once and leave checkpoints beside it, of several machines of each: all places are near',
    )
    .option('--every <n>', 'instructions between two of them at the beginning of the run')
    .action(async (file, { every, ...images }) => {
      const asked = every === undefined ? images : { ...images, every: stride(every) };
      const { index } = await import('./index-command.ts');
      done(await index(file, asked, print));
    });
}

/** What tells about a trace. */
function addReading(program: Command, { print, done }: Outcome): void {
  program
    .command('info <file>')
    .description('what a trace is: machine, images, seed, events by kind')
    .action(async (file) => {
      const joint = (await import('../host/trace-source.ts')).jointAt(file);
      if (joint === undefined) done((await import('./trace-commands.ts')).printInfo(file, print));
      else (await import('./machines-info.ts')).printMachines(file, joint, print);
    });
}

/** What tells about the files a run is made of. */
function addWorld(program: Command, { print }: Outcome): void {
  program
    .command('world <file>')
    .description('check a file of hosts for `-netdev user,world=`, and say whom it has')
    .option('--known-hosts', "print lines for a guest's ~/.ssh/known_hosts instead")
    .action(async (file, form) => {
      const { printWorld } = await import('./world-command.ts');
      printWorld(file, form, print);
    });
}

/** What makes one file of a trace and all it needs, and takes it apart. */
function addPacking(program: Command, { print, done }: Outcome): void {
  withImages(program.command('pack <file>'))
    .description('make one file of a trace and all it needs: images, checkpoints, forks; every command reads it')
    .option('-o, --output <file>', 'the pack (default: FILE.pack)')
    .option('--describe', 'say what it holds or would hold, before you share it, and write nothing')
    .option('--force', 'replace a file that is there')
    .action(async (file, options) => {
      const { pack } = await import('./pack.ts');
      done(pack(file, options, print));
    });
  program
    .command('unpack <pack> [folder]')
    .description('write what a pack holds into a folder, checked')
    .option('--force', 'replace files that are there')
    .action(async (file, folder, { force }) => {
      const { unpack } = await import('./pack.ts');
      done(unpack(file, folder ?? '.', force === true, print));
    });
}

/** What comes to the state without the guest. */
function addFolding(program: Command, { print, done }: Outcome): void {
  withCut(withImages(program.command('fold <file>')))
    .description('reduce the events to the state they amount to, compared at every digest; needs no image')
    .action(async (file, options) => {
      const { fold } = await import('./replay-commands.ts');
      done(fold(file, print, options));
    });
  withCut(withImages(program.command('rerun <file>')))
    .description("hypervisor and devices again on the processor's recorded answers, compared; needs no image")
    .action(async (file, options) => {
      const { rerun } = await import('./replay-commands.ts');
      done(await rerun(file, options, print));
    });
}

const LINES_HELD = 512;

/** Lines to standard output, written in batches and never queued without end when a pipe is slow. */
function printer(): { readonly print: Print; flush(): void } {
  let lines: string[] = [];
  const flush = (): void => {
    if (lines.length > 0) printText(`${lines.join('\n')}\n`);
    lines = [];
  };
  const print: Print = (line) => {
    if (lines.push(line) >= LINES_HELD) flush();
  };
  return { print, flush };
}

/** The text of man/retrovisor.1. */
export async function manualPage(): Promise<string> {
  const program = commandTable({ print: () => undefined, flush: () => undefined, done: () => undefined });
  const { manual } = await import('./manual.ts');
  return manual(await spokenCommands(program), program.description(), VERSION);
}
