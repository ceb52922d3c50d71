import { UsageProblem } from '../options/usage.ts';
import { TIER_VARIABLE } from '../host/tier.ts';

const OPTION = '--tier';

/**
 * The words of a command without `--tier WORD`, which says nothing about its answer: every command takes it. From here on
 * this process, and those it starts, run their machines so.
 */
export async function withoutTier(argv: readonly string[]): Promise<string[]> {
  const at = argv.findIndex((word) => word === OPTION || word.startsWith(`${OPTION}=`));
  if (at < 0) return [...argv];
  const given = argv[at] === OPTION ? argv[at + 1] : argv[at]?.slice(OPTION.length + 1);
  if (given === undefined) throw new UsageProblem('--tier needs a word: handlers or translated.');
  // Who gives none does not wait for what understands one.
  (await import('../options/tier.ts')).tierOf(given);
  process.env[TIER_VARIABLE] = given;
  return [...argv.slice(0, at), ...argv.slice(at + (argv[at] === OPTION ? 2 : 1))];
}
