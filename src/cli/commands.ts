import { Command } from 'commander';
import { writeOut } from '../host/terminal.ts';
import { withCut, withImages } from '../options/image-options.ts';
import { index } from './index-command.ts';
import { pack, unpack } from './pack.ts';
import { fold, replay, rerun } from './replay-commands.ts';
import { addTimeTravel } from './time-travel.ts';
import { tour } from './tour.ts';
import { type Print, printEvents, printExits, printInfo } from './trace-commands.ts';
import { wholeNumber } from '../options/qemu-values.ts';
import { USAGE_STATUS } from '../options/usage.ts';

interface EventsOptions {
  readonly event?: string[];
  readonly from?: string;
  readonly to?: string;
  readonly source?: string;
  readonly containing?: string;
  readonly inputs?: boolean;
  readonly json?: boolean;
  readonly limit?: string;
}

const FURTHEST = Number.MAX_SAFE_INTEGER;
const SHORTEST_STRIDE = 1000;

const stride = (text: string): number => wholeNumber('--every', text, SHORTEST_STRIDE, FURTHEST);

const position = (option: string, text: string | undefined, usual: number): number =>
  text === undefined ? usual : wholeNumber(option, text, 0, FURTHEST);

function events(path: string, options: EventsOptions, print: Print): Promise<number> {
  const filter = {
    fromTick: position('--from', options.from, 0),
    toTick: position('--to', options.to, FURTHEST),
    inputsOnly: options.inputs === true,
    ...(options.event === undefined ? {} : { kinds: options.event.flatMap((names) => names.split(',')) }),
    ...(options.source === undefined ? {} : { source: options.source }),
    ...(options.containing === undefined ? {} : { containing: options.containing }),
  };
  const limit = position('--limit', options.limit, FURTHEST);
  return printEvents(path, filter, { json: options.json === true, limit }, print);
}

/** Where commands print, and what they came to. */
interface Outcome {
  readonly print: Print;
  done(status: number): void;
}

/** Every command but `run`. Resolves to the process status. */
export async function dispatch(argv: readonly string[]): Promise<number> {
  let status = 0;
  const { print, flush } = printer();
  const program = new Command('retrovisor')
    .description('A hypervisor you can rewind: runs x86-64 guests, records every run, replays it bit for bit.')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  const outcome: Outcome = {
    print,
    done: (reached) => {
      status = reached;
    },
  };
  program.command('run').description('boot a guest, recorded (QEMU spelling; `run --help`)').argument('[options...]');
  addRunningAgain(program, outcome);
  addReading(program, outcome);
  addFolding(program, outcome);
  addPacking(program, outcome);
  addTimeTravel(program, outcome);
  program
    .command('tour')
    .description('our own guest: recorded, replayed in a second process, shown as events, causes and state')
    .action(async () => outcome.done(await tour()));
  if (argv.length === 0) {
    program.outputHelp();
    return USAGE_STATUS;
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } finally {
    flush();
  }
  return status;
}

/** What runs a trace's guest again. */
function addRunningAgain(program: Command, { print, done }: Outcome): void {
  withCut(withImages(program.command('replay <file>')))
    .description('run a trace again and compare every event; names the first divergence')
    .option('--console', "show the guest's console again")
    .action(async (file, options) => done(await replay(file, options, print)));
  withImages(program.command('index <file>'))
    .description('replay a trace once and leave checkpoints beside it, so that debug and gdb go anywhere at once')
    .option('--every <n>', 'instructions between two of them at the beginning of the run')
    .action((file, { every, ...images }) =>
      done(index(file, every === undefined ? images : { ...images, every: stride(every) }, print)),
    );
}

/** What reads a trace's events. */
function addReading(program: Command, { print, done }: Outcome): void {
  program
    .command('events <file>')
    .description('print a trace as trace-cmd report does')
    .option('-e, --event <name...>', 'only these events; * stands for anything')
    .option('--from <tick>', 'from this tick')
    .option('--to <tick>', 'up to this tick')
    .option('--source <name>', 'only from this source: vcpu0, main-loop, timer ...')
    .option('--containing <text>', 'only events whose text contains this')
    .option('--inputs', 'only inputs: what the guest could not cause')
    .option('-n, --limit <count>', 'stop after so many')
    .option('--json', 'one JSON object per line, with the events it has for its cause and is within')
    .action(async (file, options) => done(await events(file, options, print)));
  program
    .command('stat <file>')
    .description('VM exits by reason: count, share, instructions')
    .option('--vcpu <n>', 'of one processor')
    .action(async (file, options) => {
      const vcpu = options.vcpu === undefined ? undefined : wholeNumber('--vcpu', options.vcpu, 0, FURTHEST);
      done(await printExits(file, vcpu, print));
    });
  program
    .command('info <file>')
    .description('what a trace is: machine, images, seed, events by kind')
    .action(async (file) => done(await printInfo(file, print)));
}

/** What makes one file of a trace and all it needs, and takes it apart. */
function addPacking(program: Command, { print, done }: Outcome): void {
  withImages(program.command('pack <file>'))
    .description('make one file of a trace and all it needs: images, checkpoints, forks; every command reads it')
    .option('-o, --output <file>', 'the pack (default: FILE.pack)')
    .option('--describe', 'say what it holds or would hold, before you share it, and write nothing')
    .option('--force', 'replace a file that is there')
    .action((file, options) => done(pack(file, options, print)));
  program
    .command('unpack <pack> [folder]')
    .description('write what a pack holds into a folder, checked')
    .option('--force', 'replace files that are there')
    .action((file, folder, { force }) => done(unpack(file, folder ?? '.', force === true, print)));
}

/** What comes to the state without the guest. */
function addFolding(program: Command, { print, done }: Outcome): void {
  withCut(withImages(program.command('fold <file>')))
    .description('reduce the events to the state they amount to, compared at every digest; needs no image')
    .action((file, options) => done(fold(file, print, options)));
  withCut(withImages(program.command('rerun <file>')))
    .description("hypervisor and devices again on the processor's recorded answers, compared; needs no image")
    .action(async (file, options) => done(await rerun(file, options, print)));
}

const LINES_HELD = 512;

/** Lines to standard output, written in batches and never queued without end when a pipe is slow. */
function printer(): { readonly print: Print; flush(): void } {
  let lines: string[] = [];
  const flush = (): void => {
    if (lines.length > 0) writeOut(Buffer.from(`${lines.join('\n')}\n`));
    lines = [];
  };
  const print: Print = (line) => {
    if (lines.push(line) >= LINES_HELD) flush();
  };
  return { print, flush };
}
