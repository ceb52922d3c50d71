/** Which places of the sources the recorded inputs reach at all: V8's own count of blocks, by way of source maps. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VOCABULARY } from '../../src/events/vocabulary.ts';
import type { Input } from './inputs.ts';
import type { Site } from './sites.ts';
import type { Tree } from './tree.ts';

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly Range[] }[];
  }[];
}

/** By built file: which of its characters were run. */
type Runs = Map<string, Uint8Array>;

/** Which places are reached. */
export interface Reached {
  has(site: Site): boolean;
  /** Kinds of events that no input holds. */
  readonly absent: readonly string[];
}

const SECONDS = 600;

/** Fold every input and run it again, and count. */
export function reachedBy(tree: Tree, inputs: readonly Input[], say: (line: string) => void): Reached {
  const folder = join(tree.root, 'coverage');
  const runs: Runs = new Map();
  const kinds = new Set<string>();
  for (const input of inputs) {
    const ways = input.isStaged === true ? ['fold'] : ['fold', 'rerun', ...(input.replays === true ? ['replay'] : [])];
    for (const way of ways) {
      mkdirSync(folder);
      const { status } = tree.run([way, input.trace], SECONDS, { NODE_V8_COVERAGE: folder });
      if (status !== 0) say(`${way} of ${input.name} does not agree with the sources as they are: status ${status}`);
      for (const name of readdirSync(folder)) count(join(folder, name), join(tree.root, 'dist'), runs);
      rmSync(folder, { recursive: true });
    }
    for (const [, kind] of tree.run(['info', input.trace], SECONDS).text.matchAll(/^([a-z_]+[\w:]*) +\d+$/gm)) {
      kinds.add(kind as string);
    }
  }
  const lookups = new Map<string, Lookup>();
  return {
    absent: Object.keys(VOCABULARY).filter((kind) => !kinds.has(kind)),
    has(site) {
      let lookup = lookups.get(site.file);
      if (lookup === undefined) {
        lookup = lookupOf(tree.root, site.file, runs);
        lookups.set(site.file, lookup);
      }
      return lookup(site);
    },
  };
}

/** Add what one process ran. Ranges lie in each other, and the inner one counts. */
function count(path: string, dist: string, runs: Runs): void {
  const { result } = JSON.parse(readFileSync(path, 'utf8')) as Coverage;
  for (const { url, functions } of result) {
    if (!url.startsWith('file:')) continue;
    const file = fileURLToPath(url);
    if (!file.startsWith(dist) || !existsSync(file)) continue;
    const length = readFileSync(file, 'utf8').length;
    const now = new Uint8Array(length);
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count: times } of ranges)
        now.fill(times > 0 ? 1 : 0, startOffset, endOffset);
    }
    const before = runs.get(file) ?? new Uint8Array(length);
    runs.set(
      file,
      before.map((was, at) => was | (now[at] as number)),
    );
  }
}

type Lookup = (site: Site) => boolean;

/** A place of the source is what was built from the nearest mapped place before it on its line. */
function lookupOf(root: string, file: string, runs: Runs): Lookup {
  const built = join(root, file.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js'));
  const run = runs.get(built);
  if (run === undefined) return () => false;
  const map = new SourceMap(JSON.parse(readFileSync(`${built}.map`, 'utf8')) as SourceMapPayload);
  const places = new Map<number, (readonly [column: number, isRun: boolean])[]>();
  let offset = 0;
  readFileSync(built, 'utf8')
    .split('\n')
    .forEach((text, line) => {
      for (let column = 0; column < text.length; column += 1) {
        const entry = map.findEntry(line, column);
        if (!('originalLine' in entry) || entry.generatedLine !== line || entry.generatedColumn !== column) continue;
        const onLine = places.get(entry.originalLine) ?? [];
        places.set(entry.originalLine, onLine);
        onLine.push([entry.originalColumn, run[offset + column] === 1]);
      }
      offset += text.length + 1;
    });
  const source = readFileSync(join(root, file), 'utf8');
  return ({ line, from }) => {
    const column = from - (source.lastIndexOf('\n', from - 1) + 1);
    const before = (places.get(line - 1) ?? []).filter(([at]) => at <= column);
    const nearest = Math.max(...before.map(([at]) => at));
    return before.some(([at, isRun]) => at === nearest && isRun);
  };
}

/** Functions and rows with places nobody reaches, as lines of a list. */
export function unreachedLines(sites: readonly Site[], reached: Reached): string[] {
  const places = new Map<string, Set<number>>();
  for (const site of sites) {
    if (reached.has(site)) continue;
    const name = `${site.file} ${site.within}`;
    places.set(name, (places.get(name) ?? new Set()).add(site.line));
  }
  return [...places].map(([name, lines]) => `${name}: line ${[...lines].sort((a, b) => a - b).join(', ')}`);
}
