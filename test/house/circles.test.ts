import { expect, test } from 'vitest';
import { circlesIn, IMPORTS, importGraph } from './imports.ts';

test('no imports lead round in a circle, in no room and of none, types included', () => {
  expect(IMPORTS.size).toBeGreaterThan(500);
  expect([...IMPORTS.values()].flat().length).toBeGreaterThan(2000);
  expect(circlesIn(IMPORTS)).toEqual([]);
});

test('planted circles are found, each by itself', () => {
  const file = (name: string, ...targets: string[]) => ({
    path: `src/x/${name}.ts`,
    text: targets.map((target) => `import type { T } from './${target}.ts';`).join('\n'),
  });
  const planted = [file('a', 'b'), file('b', 'c', 'e'), file('c', 'a'), file('d', 'c'), file('e', 'f'), file('f', 'e')];
  expect(circlesIn(importGraph(planted))).toEqual([
    ['src/x/e.ts', 'src/x/f.ts'],
    ['src/x/a.ts', 'src/x/b.ts', 'src/x/c.ts'],
  ]);
});
