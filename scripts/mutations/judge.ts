/** Whether a wrong table, or whoever decides wrongly, is caught, by what and where. */
import { go, type Input, passOf, type Way } from './inputs.ts';
import type { Reached } from './reached.ts';
import type { Kind, Site } from './sites.ts';
import { type Tree, whereOf } from './tree.ts';

/** What changes are tried with. */
export interface Trial {
  readonly tree: Tree;
  readonly inputs: readonly Input[];
  readonly reached: Reached;
}

export interface Catch {
  readonly way: Way;
  readonly input: string;
  /** Where, and in what. */
  readonly where: string;
}

const AGREED = 0;

/** What takes so many times as long does not come to an end; nor what takes longer than this, if that is more. */
const TIMES = 10;
const LEAST_SECONDS = 60;

/** Whether an input catches something in one way. */
function attempt({ tree, reached }: Trial, way: Way, input: Input): Catch | undefined {
  const usual = reached.seconds[passOf(way, input.name)] ?? LEAST_SECONDS;
  const came = go(tree, way, input, Math.max(LEAST_SECONDS, TIMES * usual));
  return came.status === AGREED ? undefined : { way, input: input.name, where: whereOf(came) };
}

const ORDERS: Readonly<Record<Kind, readonly Way[]>> = {
  evolve: ['fold', 'states', 'again', 'rerun', 'replay'],
  raise: ['again', 'rerun', 'replay'],
};

/** What first catches a change, of the ways through inputs that come there; undefined: it survives. */
export function firstCatch(trial: Trial, site: Site): Catch | undefined {
  const passes = trial.reached.by(site);
  for (const way of ORDERS[site.kind]) {
    for (const input of trial.inputs) {
      if (!passes.includes(passOf(way, input.name))) continue;
      const caught = attempt(trial, way, input);
      if (caught !== undefined) return caught;
    }
  }
  return undefined;
}

/** What a run of the changed sources does otherwise than the recorded one that their table was caught by. */
export function liveCatch(trial: Trial, { way, input: name }: Catch): Catch | undefined {
  const input = trial.inputs.find((each) => each.name === name);
  if (input === undefined || (way !== 'fold' && way !== 'states')) return undefined;
  for (const live of input.ways.filter((each) => each !== 'fold' && each !== 'states')) {
    const caught = attempt(trial, live, input);
    if (caught !== undefined) return caught;
  }
  return undefined;
}
