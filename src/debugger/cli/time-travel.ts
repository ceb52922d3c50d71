import type { Command } from 'commander';
import { diff } from './diff.ts';
import { wholeNumber } from './qemu-values.ts';
import type { Print } from './trace-commands.ts';
import { verify } from './verify.ts';

const MOST_JOBS = 256;

/** Where a command's answer and status go. */
export interface CommandEnd {
  readonly print: Print;
  done(status: number): void;
}

/** Add the commands that compare, question and change recorded runs. */
export function addTimeTravel(program: Command, { print, done }: CommandEnd): void {
  program
    .command('diff <a> <b>')
    .description('where two traces first differ, down to the field, and what led there')
    .action((a, b) => {
      done(diff(a, b, print));
    });
  program
    .command('verify <files...>')
    .description('replay traces in processes of their own, several at a time, with a summary')
    .option('-j, --jobs <n>', 'how many at a time')
    .action(async (files, options) => {
      const jobs = options.jobs === undefined ? undefined : wholeNumber('--jobs', options.jobs, 1, MOST_JOBS);
      done(await verify(files, jobs, print));
    });
}
