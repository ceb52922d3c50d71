import { CommanderError } from 'commander';
import { fileURLToPath } from 'node:url';
import { Problem } from '../base/problem.ts';
import { complain, printHelp } from '../host/output.ts';
import { VERSION } from '../host/program.ts';
import { inSources } from '../host/source-places.ts';
import { BrokenPipe, outputProblem, statusOf } from '../host/terminal.ts';
import { machineFileIn } from './machine-file-in.ts';
import { paged, pagerFor, withoutPager } from './pager.ts';
import { withoutTier } from './tier-in.ts';
import { OptionHelp, USAGE_STATUS, UsageProblem } from '../options/usage.ts';

/** Where the package lies. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROBLEM_STATUS = 1;
const BROKEN_STATUS = 70;

/** The command line `retrovisor`. Resolves to the process status. */
export async function main(given: readonly string[]): Promise<number> {
  // What is written at once fails a moment later.
  if (process.stdout.listenerCount('error') === 0) {
    process.stdout.once('error', (error) => process.exit(reported(outputProblem(error))));
  }
  try {
    const argv = withoutTier(given);
    // What a command does not use is not loaded: a third of a second at every start.
    if (argv[0] === 'run') return await runAsked(argv.slice(1));
    const pager = pagerFor(argv);
    if (pager !== undefined) return await paged(pager, argv);
    return await (await import('./commands.ts')).dispatch(withoutPager(argv));
  } catch (error) {
    return reported(error);
  }
}

/** What to run is understood first: help and what is wrong need no machine. */
async function runAsked(argv: readonly string[]): Promise<number> {
  if (argv.some((token) => /^--?version$/.test(token))) {
    printHelp(`Retrovisor ${VERSION}\n`);
    return 0;
  }
  if (machineFileIn(argv) !== undefined) return (await import('./run-machines.ts')).runMachines(argv);
  const options = (await import('../options/run-arguments.ts')).runOptions(argv);
  return (await import('./run.ts')).run(options);
}

function reported(error: unknown): number {
  if (error instanceof OptionHelp) {
    printHelp(`${error.message}\n`);
    return 0;
  }
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    complain(error.message.replace(/^error: /, '').replace(/\n\(D/, ' (d'));
    return USAGE_STATUS;
  }
  if (error instanceof BrokenPipe) return statusOf('SIGPIPE');
  if (error instanceof Problem) {
    complain(error.message);
    return error instanceof UsageProblem ? USAGE_STATUS : PROBLEM_STATUS;
  }
  const text = error instanceof Error ? inSources(error.stack ?? error.message, ROOT) : String(error);
  complain(`this is a bug of Retrovisor's own; please report it.\n${text}`);
  return BROKEN_STATUS;
}
