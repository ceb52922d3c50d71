import type { Command } from 'commander';
import { withCut, withImages } from '../options/image-options.ts';
import { wholeNumber } from '../options/qemu-values.ts';
import type { Outcome } from './outcome.ts';

const MOST_JOBS = 256;
const MOST_PORTS = 65_535;
const MOST_TICKS = Number.MAX_SAFE_INTEGER;

/** Add the commands that compare, question and change recorded runs. */
export function addTimeTravel(program: Command, outcome: Outcome): void {
  const { print, done } = outcome;
  withImages(program.command('debug <file>'))
    .description('stand in a recorded run: step back, search, ask; `help` at its prompt')
    .option('--symbols <file...>', 'names of addresses: an ELF file with .symtab, or a System.map')
    .option(
      '--at <place>',
      'start there: a tick, @12.5ms, #EVENT, 25%, print "TEXT", or the first event of a KIND [TEXT]',
    )
    .option('--ex <command...>', 'answer these first')
    .option('--batch', 'and then end')
    .action(async (file, options) => {
      const { debug } = await import('./debug.ts');
      done(await debug(file, options, print));
    });
  withImages(program.command('gdb <file>'))
    .description('let a stock gdb stand in a recorded run: target remote, forwards and backwards')
    .option('--port <n>', '0 takes a free one', '1234')
    .option('--host <address>', 'where to listen (default: the loopback interface): whoever reaches it has the run')
    .option('--allow-write <dir>', 'let its `monitor` commands write files, in this folder only')
    .option('--once', 'end when the first gdb has left')
    .action(async (file, options) => {
      const port = wholeNumber('--port', options.port, 0, MOST_PORTS);
      const { gdb } = await import('./gdb.ts');
      done(await gdb(file, { ...options, port, once: options.once === true }));
    });
  withImages(program.command('symbols <file>'))
    .description("write the recorded Linux kernel's own names, and how to unwind its stack, to a file for gdb")
    .option('--at <place>', 'where they are read: start, end, a tick, @12.5ms, #EVENT, 25%', 'end')
    .option('-o, --output <file>', 'the ELF file', 'kernel.sym')
    .action(async (file, options) => {
      const { symbols } = await import('./symbols.ts');
      done(symbols(file, options, print));
    });
  withCut(program.command('diff <a> <b>'))
    .description('where two traces first differ, down to the field, and what led there')
    .action(async (a, b, options) => {
      const { diff } = await import('./diff.ts');
      done(diff(a, b, print, options));
    });
  withImages(program.command('fork <file>'))
    .description('run on from a mark with something changed, into a trace of its own')
    .option('--at <place>', 'start, a tick, @12.5ms, #EVENT, 25%, or the first event of a KIND [TEXT]')
    .option('--set <change...>', 'like rax=5, mem:0x1000=c3, "drop irq 0x40", "type ls\\n"; --set help lists them')
    .option('--trace <file>', 'where the new run is recorded', 'fork.trace')
    .option('--ticks <n>', "stop after n instructions in all; the parent's number when absent")
    .option('--console', "show the guest's console from there on, what a terminal would obey escaped")
    .option('--raw', 'show it byte for byte')
    .action(async (file, options) => {
      const ticks = options.ticks === undefined ? undefined : wholeNumber('--ticks', options.ticks, 1, MOST_TICKS);
      const { fork } = await import('./fork.ts');
      done(fork(file, { ...options, ...(ticks === undefined ? {} : { ticks }) }, print));
    });
  addDisk(program, outcome);
  withCut(withImages(program.command('verify <files...>')))
    .description('replay traces in processes of their own, several at a time, with a summary')
    .option('-j, --jobs <n>', 'how many at a time')
    .action(async (files, { jobs: asked, ...access }) => {
      const jobs = asked === undefined ? undefined : wholeNumber('--jobs', asked, 1, MOST_JOBS);
      const { verify } = await import('./verify.ts');
      done(await verify(files, { jobs, access }, print));
    });
}

const MOST_POINTS = 1_000_000;

/** What drives of a run held. */
function addDisk(program: Command, { print, done }: Outcome): void {
  withImages(program.command('disk <file> [action] [words...]'))
    .description('its drives at any moment: list, history SECTOR[+N], diff MARK MARK, export, commit, crash')
    .option('--drive <id>', 'which drive, of several')
    .option(
      '--at <place>',
      'of export and crash: a tick, @12.5ms, #EVENT, 25%, print "TEXT", an event; of --points: from there on',
    )
    .option('-o, --output <file>', 'the image to write, with holes, whole or not at all')
    .option('--seed <text>', 'of crash: what of the writes that were not durable is lost')
    .option('--points <n>', 'of crash: at so many completions that left a write not durable, drawn by the seed')
    .option(
      '--check <command>',
      "of crash --points: judges each image, as 'e2fsck -fn {}'; {console}: a file of what the guest had printed",
    )
    .option('--symbols <file>', 'of history: names of addresses')
    .option('--all', 'of history: all of it')
    .action(async (path, action, words, { points: asked, ...options }) => {
      const points = asked === undefined ? {} : { points: wholeNumber('--points', asked, 1, MOST_POINTS) };
      const { disk } = await import('./disk.ts');
      done(await disk(action ?? 'list', { path, words, options: { ...options, ...points }, print }));
    });
}
