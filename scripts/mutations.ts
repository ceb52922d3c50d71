/**
 * Makes the table of reducers, and whoever raises facts, wrong at one place after the other, drawn by seed over all
 * files, functions and rows; and asks whether recorded runs catch it: by the fold of what was recorded, or because
 * hypervisor and devices no longer come to the recorded events. docs/mutations.md.
 * `npx tsx scripts/mutations.ts [--count 50] [--seed 1] [--kind evolve|raise] [--file PATTERN] [--only PATTERN]
 * [--keep FOLDER] [--reached]`. With --reached it only prints what no input reaches. RETROVISOR_KUT names the folder of
 * kvm-unit-tests, as for its tests.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawn } from './mutations/draw.ts';
import { recordInputs } from './mutations/inputs.ts';
import { whyEqual } from './mutations/equal.ts';
import { type Catch, firstCatch, liveCatch, type Trial } from './mutations/judge.ts';
import { reachedBefore, reachedBy, unreachedLines } from './mutations/reached.ts';
import { type Kind, type Site, sitesOf } from './mutations/sites.ts';
import { copyTree } from './mutations/tree.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const OPTIONS = {
  count: { type: 'string', default: '50' },
  seed: { type: 'string', default: '1' },
  kind: { type: 'string' },
  file: { type: 'string' },
  only: { type: 'string' },
  keep: { type: 'string' },
  reached: { type: 'boolean', default: false },
} as const;

const shortened = (text: string): string => {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > 60 ? `${line.slice(0, 57)}...` : line;
};

const described = ({ file, line, within, operator, old }: Site): string =>
  `${file}:${line} ${within}: ${operator}: ${shortened(old)}`;

const caughtBy = ({ way, input, where }: Catch): string => `${way} of ${input}: ${where}`;

interface Tally {
  done: number;
  caught: number;
  /** Changes that change nothing. */
  equal: number;
  refused: number;
}

/** Make one place wrong, and say what catches it. */
function judge(trial: Trial, site: Site, tally: Tally): void {
  const { tree, reached } = trial;
  try {
    if (!tree.change(site)) {
      tally.refused += 1;
      return;
    }
    tally.done += 1;
    say(`${tally.done}. ${site.kind} ${described(site)}`);
    const equal = whyEqual(site);
    const caught = equal === undefined ? firstCatch(trial, site) : undefined;
    if (equal !== undefined) tally.equal += 1;
    else if (caught !== undefined) tally.caught += 1;
    if (caught === undefined) {
      const unreached = reached.by(site).length === 0 ? ': no input reaches it' : '';
      say(`     ${equal === undefined ? 'SURVIVED' : 'EQUAL'}, as ${shortened(site.text)}${unreached}`);
      if (equal !== undefined) say(`     ${equal}`);
      return;
    }
    say(`     caught by ${caughtBy(caught)}`);
    const live = liveCatch(trial, caught);
    if (live !== undefined) say(`     live: ${caughtBy(live)}`);
  } finally {
    tree.restore(site);
  }
}

/** Both kinds in turn, where both are wanted. */
function* inTurn(queues: readonly Generator<Site>[]): Generator<Site> {
  for (let left = queues; left.length > 0; ) {
    const goingOn: Generator<Site>[] = [];
    for (const queue of left) {
      const { done, value } = queue.next();
      if (done === true) continue;
      yield value;
      goingOn.push(queue);
    }
    left = goingOn;
  }
}

function main(): number {
  const { values } = parseArgs({ options: OPTIONS });
  const { seed, kind, file = '', only = '' } = values;
  const folder = resolve(values.keep ?? mkdtempSync(join(tmpdir(), 'retrovisor-mutations-')));
  mkdirSync(folder, { recursive: true });
  const scratch = mkdtempSync(join(folder, 'tree-'));
  const tree = copyTree(ROOT, scratch);
  const all = sitesOf(ROOT);
  const sites = all.filter((site) => new RegExp(file).test(site.file) && new RegExp(only).test(described(site)));
  const of = (wanted: Kind): Site[] => sites.filter((site) => site.kind === wanted);
  const kinds = (['evolve', 'raise'] as const).filter((each) => kind === undefined || kind === each);
  say(kinds.map((each) => `${of(each).length} places of ${each}`).join(', '));
  const inputs = recordInputs(tree, ROOT, folder, say);
  say(`inputs: ${inputs.map(({ name }) => name).join(', ')}`);
  const reached = reachedBefore(join(folder, 'reached.json'), all, inputs, () => reachedBy(tree, inputs));
  say(`kinds of events in no input: ${reached.absent.join(', ') || 'none'}`);
  const unreached = unreachedLines(sites, reached);
  say(
    `${sites.filter((site) => reached.by(site).length === 0).length} of ${sites.length} places are reached by no input`,
  );
  for (const line of unreached) say(`  ${line}`);
  const tally: Tally = { done: 0, caught: 0, equal: 0, refused: 0 };
  for (const site of inTurn(kinds.map((each) => drawn(of(each), `${seed}/${each}`)))) {
    if (values.reached || tally.done >= Number(values.count)) break;
    judge({ tree, inputs, reached }, site, tally);
  }
  rmSync(values.keep === undefined ? folder : scratch, { recursive: true });
  const { done, caught, equal, refused } = tally;
  say(`${caught} of ${done} caught, ${equal} change nothing, seed ${seed}; ${refused} more did not compile`);
  return caught + equal === done ? 0 : 1;
}

process.exitCode = main();
