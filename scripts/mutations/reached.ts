/** Which places of the sources the recorded inputs reach at all: V8's own count of blocks, by way of source maps. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VOCABULARY } from '../../src/events/vocabulary.ts';
import { go, type Input, passOf } from './inputs.ts';
import type { Site } from './sites.ts';
import { type Tree, whereOf } from './tree.ts';

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

/** A built or translated file: which of its characters come from where in the source. */
interface Mapped {
  readonly characters: number;
  /** By line of the source. */
  readonly places: ReadonlyMap<number, readonly Place[]>;
}

interface Place {
  /** In the source. */
  readonly column: number;
  /** In the file that was run. */
  readonly offset: number;
}

/** Which characters of each file one way through one input ran. */
type Run = Map<string, Uint8Array>;

/** Which places are reached. */
export interface Reached {
  /** The ways through inputs that come there. */
  by(site: Site): readonly string[];
  /** Kinds of events that no input holds. */
  readonly absent: readonly string[];
  /** What each way through an input takes, counted. */
  readonly seconds: Readonly<Record<string, number>>;
}

const keyOf = ({ kind, file, from, operator, text }: Site): string => `${kind} ${file} ${from} ${operator} ${text}`;

const STORMS = fileURLToPath(new URL('../../test/sim/storm', import.meta.url));

interface Kept {
  readonly hash: string;
  readonly absent: readonly string[];
  readonly passes: readonly string[];
  readonly seconds: Readonly<Record<string, number>>;
  /** By place: indices of passes. */
  readonly places: Readonly<Record<string, readonly number[]>>;
}

/** What was found before, where neither inputs nor sources have changed since; or else found and kept. */
export function reachedBefore(
  path: string,
  sites: readonly Site[],
  inputs: readonly Input[],
  find: () => Reached,
): Reached {
  const of = createHash('sha256').update(JSON.stringify(sites));
  for (const { name, trace, ways } of inputs) of.update(JSON.stringify([name, ways, statSync(trace).size]));
  // A monitor's calls must be the recorded ones.
  for (const name of readdirSync(STORMS)) of.update(readFileSync(join(STORMS, name)));
  const hash = of.digest('hex');
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Kept) : undefined;
  const kept = before?.hash === hash ? before : keep(path, hash, sites, find());
  return {
    absent: kept.absent,
    seconds: kept.seconds,
    by: (site) => (kept.places[keyOf(site)] ?? []).map((index) => kept.passes[index] as string),
  };
}

function keep(path: string, hash: string, sites: readonly Site[], reached: Reached): Kept {
  const passes: string[] = [];
  const indexOf = (pass: string): number => {
    if (!passes.includes(pass)) passes.push(pass);
    return passes.indexOf(pass);
  };
  const places = Object.fromEntries(sites.map((site) => [keyOf(site), reached.by(site).map(indexOf)]));
  const kept = { hash, absent: reached.absent, passes, seconds: reached.seconds, places };
  writeFileSync(path, JSON.stringify(kept));
  return kept;
}

const SECONDS = 600;

/** Go through every input in each of its ways, and count. */
export function reachedBy(tree: Tree, inputs: readonly Input[]): Reached {
  const folder = join(tree.root, 'coverage');
  const files = new Map<string, Mapped>();
  const runs = new Map<string, Run>();
  const kinds = new Set<string>();
  const seconds: Record<string, number> = {};
  for (const input of inputs) {
    for (const way of input.ways) {
      mkdirSync(folder);
      const begun = performance.now();
      const came = go(tree, way, input, SECONDS, { NODE_V8_COVERAGE: folder });
      if (came.status !== 0) {
        throw new Error(`${passOf(way, input.name)} does not agree with the sources as they are: ${whereOf(came)}.`);
      }
      const run: Run = new Map();
      for (const name of readdirSync(folder)) count(join(folder, name), join(tree.root, 'node_modules'), files, run);
      seconds[passOf(way, input.name)] = (performance.now() - begun) / 1000;
      runs.set(passOf(way, input.name), run);
      rmSync(folder, { recursive: true });
    }
    for (const [, kind] of tree.run(['info', input.trace], SECONDS).text.matchAll(/^([a-z_]+[\w:]*) +\d+$/gm)) {
      kinds.add(kind as string);
    }
  }
  return {
    seconds,
    absent: Object.keys(VOCABULARY).filter((kind) => !kinds.has(kind)),
    by: (site) => [...runs].flatMap(([pass, run]) => (isReached(tree.root, site, files, run) ? [pass] : [])),
  };
}

/** Add what one process ran. Ranges lie in each other, and the inner one counts. */
function count(path: string, packages: string, files: Map<string, Mapped>, run: Run): void {
  const { result, 'source-map-cache': maps = {} } = JSON.parse(readFileSync(path, 'utf8')) as Coverage;
  for (const { url, functions } of result) {
    const { lineLengths, data } = maps[url] ?? {};
    if (lineLengths === undefined || data === undefined || data === null || !url.startsWith('file:')) continue;
    const file = fileURLToPath(url);
    if (file.startsWith(packages)) continue;
    let mapped = files.get(file);
    if (mapped === undefined) {
      mapped = mappedBy(lineLengths, data);
      files.set(file, mapped);
    }
    const characters = new Uint8Array(mapped.characters);
    for (const { ranges } of functions) {
      for (const range of ranges) characters.fill(range.count > 0 ? 1 : 0, range.startOffset, range.endOffset);
    }
    const before = run.get(file);
    run.set(file, before === undefined ? characters : characters.map((ran, at) => ran | (before[at] as number)));
  }
}

function mappedBy(lineLengths: readonly number[], payload: SourceMapPayload): Mapped {
  const map = new SourceMap(payload);
  const places = new Map<number, Place[]>();
  let offset = 0;
  lineLengths.forEach((length, line) => {
    for (let column = 0; column < length; column += 1) {
      const entry = map.findEntry(line, column);
      if (!('originalLine' in entry) || entry.generatedLine !== line || entry.generatedColumn !== column) continue;
      const onLine = places.get(entry.originalLine) ?? [];
      places.set(entry.originalLine, onLine);
      onLine.push({ column: entry.originalColumn, offset: offset + column });
    }
    offset += length + 1;
  });
  return { characters: offset, places };
}

/** A place of the source is what was made of the nearest mapped place before it on its line. */
function isReached(root: string, { file, line, column }: Site, files: ReadonlyMap<string, Mapped>, run: Run): boolean {
  const built = file.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js');
  return [built, file].some((name) => {
    const ran = run.get(join(root, name));
    if (ran === undefined) return false;
    const before = (files.get(join(root, name))?.places.get(line - 1) ?? []).filter((place) => place.column <= column);
    const nearest = Math.max(...before.map((place) => place.column));
    return before.some((place) => place.column === nearest && ran[place.offset] === 1);
  });
}

/** Functions and rows with places nobody reaches, as lines of a list. */
export function unreachedLines(sites: readonly Site[], reached: Reached): string[] {
  const places = new Map<string, Set<number>>();
  for (const site of sites) {
    if (reached.by(site).length > 0) continue;
    const name = `${site.file} ${site.within}`;
    places.set(name, (places.get(name) ?? new Set()).add(site.line));
  }
  return [...places].map(([name, lines]) => `${name}: line ${[...lines].sort((a, b) => a - b).join(', ')}`);
}
