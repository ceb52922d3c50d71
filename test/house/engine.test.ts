import { describe, expect, test } from 'vitest';
import { importsOf, PRODUCT, type SourceFile } from './sources.ts';

/** The engine's rooms, lowest first: one imports those before it. Files outside of rooms import them all. */
const ROOMS = [
  ...['wasm', 'state', 'mmu', 'emit', 'meanings', 'code'],
  ...['float', 'x87', 'core', 'assists', 'processor'],
];
/** What lies in no room: the door, and the processors of one machine. */
const OUTSIDE = ['engine.ts', 'index.ts'];

const ENGINE = 'src/engine/';
const files = PRODUCT.filter(({ path }) => path.startsWith(ENGINE));
const height = (path: string): number => {
  const at = ROOMS.indexOf(path.slice(ENGINE.length).split('/')[0] as string);
  return at < 0 ? ROOMS.length : at;
};

/** Files on a way that leads back to where it began, types included. */
function onCircles(all: readonly SourceFile[]): string[] {
  const imports = new Map(all.map((file) => [file.path, importsOf(file)]));
  const reaches = (from: string): Set<string> => {
    const seen = new Set<string>();
    const ways = [...(imports.get(from) ?? [])];
    for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
      if (seen.has(way)) continue;
      seen.add(way);
      ways.push(...(imports.get(way) ?? []));
    }
    return seen;
  };
  return all.map(({ path }) => path).filter((path) => reaches(path).has(path));
}

describe('the engine', () => {
  test('every file lies in a room', () => {
    const rooms = new Set(files.map(({ path }) => path.slice(ENGINE.length).split('/')[0]));
    expect([...rooms].sort()).toEqual([...ROOMS, ...OUTSIDE].sort());
  });

  test('a room imports lower rooms only', () => {
    const up = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith(ENGINE) && height(target) > height(file.path))
        .map((target) => `${file.path} imports ${target}`),
    );
    expect(up).toEqual([]);
  });

  test('no imports lead round in a circle, types included', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(onCircles(files)).toEqual([]);
  });

  test('a planted circle is found', () => {
    const file = (name: string, text: string): SourceFile => ({ path: `${ENGINE}${name}`, text });
    const planted = [
      file('a.ts', "import type { B } from './b.ts';"),
      file('b.ts', "import { c } from './c.ts';"),
      file('c.ts', "export type { A } from './a.ts';"),
      file('d.ts', "import { c } from './c.ts';"),
    ];
    expect(onCircles(planted)).toEqual(['a.ts', 'b.ts', 'c.ts'].map((name) => `${ENGINE}${name}`));
  });
});
