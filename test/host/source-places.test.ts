import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { inSources } from '../../src/host/source-places.ts';
import { scratchFolder } from '../guests/command-line.ts';

const SOURCE = `interface Wanted { readonly name: string }

export const wrong = ({ name }: Wanted): never => {
  throw new Error(name);
};
`;

test('a stack of what was bundled names the places of its sources', async () => {
  const folder = scratchFolder();
  writeFileSync(join(folder, 'wrong.ts'), SOURCE);
  const outfile = join(folder, 'dist/wrong.js');
  await build({ entryPoints: [join(folder, 'wrong.ts')], outfile, bundle: true, format: 'esm', sourcemap: true });
  const { wrong } = (await import(pathToFileURL(outfile).href)) as { wrong(wanted: { name: string }): never };
  try {
    wrong({ name: 'it broke' });
  } catch (error) {
    const said = inSources((error as Error).stack as string, folder);
    expect(said).toContain('it broke');
    expect(said).toMatch(/\(?wrong\.ts:4:9\)?$/m);
    expect(said).not.toContain('dist/wrong.js');
    return;
  }
  expect.unreachable();
});

test('what has no map stays as it is', () => {
  const stack = 'Error: x\n    at y (file:///nowhere/z.js:1:2)';
  expect(inSources(stack, '/')).toBe(stack);
});
