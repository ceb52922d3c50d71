/** Whether a wrong table, or whoever decides wrongly, is caught, by what and where. */
import { type Input, passOf, type Way } from './inputs.ts';
import type { Kind } from './sites.ts';
import type { Came, Tree } from './tree.ts';

export interface Catch {
  readonly way: Way;
  readonly input: string;
  /** Where, and in what. */
  readonly where: string;
}

/** Many times what it takes: whoever needs longer does not come to an end. */
const SECONDS: Readonly<Record<Way, number>> = { fold: 200, states: 600, rerun: 600, replay: 600, again: 400 };
const AGREED = 0;

/** Go through an input one way. */
export function go(
  tree: Tree,
  way: Way,
  { trace, calls }: Input,
  seconds: number,
  environment?: NodeJS.ProcessEnv,
): Came {
  if (way === 'states') return tree.program(['states.js', trace], seconds, environment);
  if (way === 'again') return tree.program(['calls-again.ts', trace, JSON.stringify(calls)], seconds, environment);
  return tree.run([way, trace], seconds, environment);
}

/** Whether an input catches something in one way. */
function attempt(tree: Tree, way: Way, input: Input): Catch | undefined {
  const came = go(tree, way, input, SECONDS[way]);
  return came.status === AGREED ? undefined : { way, input: input.name, where: whereOf(came) };
}

const PATTERNS = [
  /differs at event (\d+, tick \d+, in .+)\./,
  /differs from the trace at event (\d+, tick \d+, in \S+): /,
  /(Event \d+, \S+, cannot follow what came before it \(.*\))/,
  /^(\w*Error: .*)$/m,
];

/** The place in what a command printed. */
function whereOf({ status, text }: Came): string {
  if (status === null) return 'it does not come to an end';
  for (const pattern of PATTERNS) {
    const found = pattern.exec(text);
    if (found !== null) return (found[1] as string).slice(0, 110);
  }
  return text.trim().split('\n').at(-1)?.slice(0, 110) ?? `status ${status}`;
}

const ORDERS: Readonly<Record<Kind, readonly Way[]>> = {
  evolve: ['fold', 'again', 'rerun', 'states', 'replay'],
  raise: ['again', 'rerun', 'replay'],
};

/** What first catches a change of this kind, of the ways through inputs that come there; undefined: it survives. */
export function firstCatch(
  tree: Tree,
  kind: Kind,
  inputs: readonly Input[],
  passes: readonly string[],
): Catch | undefined {
  for (const way of ORDERS[kind]) {
    for (const input of inputs) {
      if (!passes.includes(passOf(way, input.name))) continue;
      const caught = attempt(tree, way, input);
      if (caught !== undefined) return caught;
    }
  }
  return undefined;
}

/** What a run of the changed sources does otherwise than the recorded one that their table was caught by. */
export function liveCatch(tree: Tree, { way, input: name }: Catch, inputs: readonly Input[]): Catch | undefined {
  const input = inputs.find((each) => each.name === name);
  if (input === undefined || (way !== 'fold' && way !== 'states')) return undefined;
  if (input.calls !== undefined) return attempt(tree, 'again', input);
  return attempt(tree, 'rerun', input) ?? attempt(tree, 'replay', input);
}
