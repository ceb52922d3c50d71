import { Command } from 'commander';
import { writeOut } from '../host/terminal.ts';
import { withImages } from '../options/image-options.ts';
import { index } from './index-command.ts';
import { fold, replay, rerun } from './replay-commands.ts';
import { addTimeTravel } from './time-travel.ts';
import { tour } from './tour.ts';
import { addReadingEvents } from './reading.ts';
import { type Print, printInfo } from './trace-commands.ts';
import { wholeNumber } from '../options/qemu-values.ts';
import { USAGE_STATUS } from '../options/usage.ts';

const FURTHEST = Number.MAX_SAFE_INTEGER;
const SHORTEST_STRIDE = 1000;

const stride = (text: string): number => wholeNumber('--every', text, SHORTEST_STRIDE, FURTHEST);

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
  addReadingEvents(program, outcome);
  addReading(program, outcome);
  addFolding(program, outcome);
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
  withImages(program.command('replay <file>'))
    .description('run a trace again and compare every event; names the first divergence')
    .option('--console', "show the guest's console again")
    .action(async (file, options) => done(await replay(file, options, print)));
  withImages(program.command('index <file>'))
    .description('replay a trace once and leave checkpoints beside it, so that debug and gdb go anywhere at once')
    .option('--every <n>', 'instructions between two of them at the beginning of the run')
    .action(async (file, { every, ...images }) =>
      done(await index(file, every === undefined ? images : { ...images, every: stride(every) }, print)),
    );
}

/** What tells about a trace. */
function addReading(program: Command, { print, done }: Outcome): void {
  program
    .command('info <file>')
    .description('what a trace is: machine, images, seed, events by kind')
    .action(async (file) => done(await printInfo(file, print)));
}

/** What comes to the state without the guest. */
function addFolding(program: Command, { print, done }: Outcome): void {
  program
    .command('fold <file>')
    .description('reduce the events to the state they amount to, compared at every digest; needs no image')
    .action((file) => done(fold(file, print)));
  withImages(program.command('rerun <file>'))
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
