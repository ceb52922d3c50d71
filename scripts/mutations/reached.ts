/** Which places of the sources the recorded inputs reach at all: V8's own count of blocks, by way of source maps. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VOCABULARY } from '../../src/events/vocabulary.ts';
import type { Input } from './inputs.ts';
import { go } from './judge.ts';
import type { Site } from './sites.ts';
import type { Tree } from './tree.ts';

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

/** What NODE_V8_COVERAGE leaves of a process. */
interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly { readonly ranges: readonly Range[] }[];
  }[];
  readonly 'source-map-cache'?: Readonly<Record<string, { lineLengths: number[]; data: SourceMapPayload | null }>>;
}

/** A file as it was run, built or translated: which of its characters were. */
interface Run {
  readonly lineLengths: readonly number[];
  readonly map: SourceMapPayload;
  characters: Uint8Array;
}

/** By file. */
type Runs = Map<string, Run>;

/** Which places are reached. */
export interface Reached {
  has(site: Site): boolean;
  /** Kinds of events that no input holds. */
  readonly absent: readonly string[];
}

const SECONDS = 600;

/** The same as before, where neither inputs nor sources have changed: kept beside the inputs. */
export function reachedBefore(
  kept: string,
  sites: readonly Site[],
  inputs: readonly Input[],
  find: () => Reached,
): Reached {
  const of = createHash('sha256').update(JSON.stringify(sites));
  for (const { name, trace, ways } of inputs) of.update(JSON.stringify([name, ways, statSync(trace).size]));
  const hash = of.digest('hex');
  const keyOf = ({ kind, file, from, operator }: Site): string => `${kind} ${file} ${from} ${operator}`;
  const before = existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as Kept) : undefined;
  let now = before;
  if (now?.hash !== hash) {
    const reached = find();
    now = { hash, absent: reached.absent, places: sites.filter((site) => reached.has(site)).map(keyOf) };
    writeFileSync(kept, JSON.stringify(now));
  }
  const places = new Set(now.places);
  return { absent: now.absent, has: (site) => places.has(keyOf(site)) };
}

interface Kept {
  readonly hash: string;
  readonly absent: readonly string[];
  readonly places: readonly string[];
}

/** Fold every input and run it again, and count. */
export function reachedBy(tree: Tree, inputs: readonly Input[], say: (line: string) => void): Reached {
  const folder = join(tree.root, 'coverage');
  const runs: Runs = new Map();
  const kinds = new Set<string>();
  for (const input of inputs) {
    for (const way of input.ways) {
      mkdirSync(folder);
      const { status } = go(tree, way, input, SECONDS, { NODE_V8_COVERAGE: folder });
      if (status !== 0) say(`${way} of ${input.name} does not agree with the sources as they are: status ${status}`);
      for (const name of readdirSync(folder)) count(join(folder, name), runs);
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
function count(path: string, runs: Runs): void {
  const { result, 'source-map-cache': maps = {} } = JSON.parse(readFileSync(path, 'utf8')) as Coverage;
  for (const { url, functions } of result) {
    const { lineLengths, data: map } = maps[url] ?? {};
    if (lineLengths === undefined || map === undefined || map === null || !url.startsWith('file:')) continue;
    const characters = new Uint8Array(lineLengths.reduce((sum, length) => sum + length + 1, 0));
    for (const { ranges } of functions) {
      for (const range of ranges) characters.fill(range.count > 0 ? 1 : 0, range.startOffset, range.endOffset);
    }
    const file = fileURLToPath(url);
    const before = runs.get(file);
    if (before === undefined) runs.set(file, { lineLengths, map, characters });
    else before.characters = before.characters.map((was, at) => was | (characters[at] ?? 0));
  }
}

type Lookup = (site: Site) => boolean;

/** By line of the source: where something was built from, and whether that was run. */
type Places = Map<number, (readonly [column: number, isRun: boolean])[]>;

function placesOf({ lineLengths, map: payload, characters }: Run): Places {
  const map = new SourceMap(payload);
  const places: Places = new Map();
  let offset = 0;
  lineLengths.forEach((length, line) => {
    for (let column = 0; column < length; column += 1) {
      const entry = map.findEntry(line, column);
      if (!('originalLine' in entry) || entry.generatedLine !== line || entry.generatedColumn !== column) continue;
      const onLine = places.get(entry.originalLine) ?? [];
      places.set(entry.originalLine, onLine);
      onLine.push([entry.originalColumn, characters[offset + column] === 1]);
    }
    offset += length + 1;
  });
  return places;
}

/** A place of the source is what was made of the nearest mapped place before it on its line. */
function lookupOf(root: string, file: string, runs: Runs): Lookup {
  const built = file.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js');
  const ran = [built, file].flatMap((path) => runs.get(join(root, path)) ?? []).map(placesOf);
  const source = readFileSync(join(root, file), 'utf8');
  return ({ line, from }) => {
    const column = from - (source.lastIndexOf('\n', from - 1) + 1);
    return ran.some((places) => {
      const before = (places.get(line - 1) ?? []).filter(([at]) => at <= column);
      const nearest = Math.max(...before.map(([at]) => at));
      return before.some(([at, isRun]) => at === nearest && isRun);
    });
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
