/** Sites by chance, so that each file comes to its turn, and in it each function or row. */
import { CHANCE } from '../../src/replay/sources/random.ts';
import type { Site } from './sites.ts';

type Below = (count: number) => number;

function grouped(sites: readonly Site[], by: (site: Site) => string): Site[][] {
  const groups = new Map<string, Site[]>();
  for (const site of sites) groups.set(by(site), [...(groups.get(by(site)) ?? []), site]);
  return [...groups.values()];
}

function shuffled<T>(list: readonly T[], below: Below): T[] {
  const left = [...list];
  return list.map(() => left.splice(below(left.length), 1)[0] as T);
}

/** The sites in an order of chance: file after file, in each a function or row, in that a place. */
export function* drawn(sites: readonly Site[], seed: string): Generator<Site> {
  let count = 0;
  const below: Below = (limit) => (CHANCE.int32(seed, 'mutations', ++count) >>> 0) % limit;
  let files = grouped(sites, ({ file }) => file);
  while (files.length > 0) {
    for (const file of shuffled(files, below)) {
      const functions = grouped(file, ({ within }) => within);
      const places = functions[below(functions.length)] as Site[];
      const site = places[below(places.length)] as Site;
      file.splice(file.indexOf(site), 1);
      yield site;
    }
    files = files.filter((file) => file.length > 0);
  }
}
