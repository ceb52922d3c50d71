import { Problem } from '../base/problem.ts';
import { TIER_VARIABLE, tierOf } from '../host/tier.ts';
import { UsageProblem } from '../options/usage.ts';

const OPTION = '--tier';

/**
 * The words of a command without `--tier WORD`, which says nothing about its answer: every command takes it. From here
 * on this process, and those it starts, run their machines so.
 */
export function withoutTier(argv: readonly string[]): string[] {
  const at = argv.findIndex((word) => word === OPTION || word.startsWith(`${OPTION}=`));
  if (at < 0) return [...argv];
  const given = argv[at] === OPTION ? argv[at + 1] : argv[at]?.slice(OPTION.length + 1);
  if (given === undefined) throw new UsageProblem('--tier needs a word: handlers or translated.');
  try {
    tierOf(given);
  } catch (error) {
    throw error instanceof Problem ? new UsageProblem(error.message) : error;
  }
  process.env[TIER_VARIABLE] = given;
  return [...argv.slice(0, at), ...argv.slice(at + (argv[at] === OPTION ? 2 : 1))];
}
