import { describe, expect, test } from 'vitest';
import { importsOf, PRODUCT } from './sources.ts';

/** The engine's rooms, lowest first: one imports those before it. Files outside of rooms import them all. */
const ROOMS = [
  ...['wasm', 'state', 'mmu', 'emit', 'meanings', 'code', 'translate'],
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
});
