import { describe, expect, test } from 'vitest';
import { PRODUCT } from './sources.ts';

/** Files whose text matches, without `src/`. */
const filesWith = (pattern: RegExp): string[] =>
  PRODUCT.filter(({ text }) => pattern.test(text)).map(({ path }) => path.slice('src/'.length));

describe('the state', () => {
  test('is changed where a fact is raised and where a recorded one is followed, nowhere else', () => {
    expect(filesWith(/\bevolve\(/)).toEqual(['machine/tell.ts', 'reducers/evolve.ts', 'replay/fold.ts']);
    expect(filesWith(/\bdraftOf\b/)).toEqual(['machine/context.ts', 'machine/tell.ts']);
  });

  test('is made writable by nobody else', () => {
    const makes = [
      ...['machine/context.ts', 'reducers/evolve.ts', 'reducers/seal.ts', 'replay/fold.ts'],
      'vmm/evolve/devices.ts',
    ];
    expect(filesWith(/\bas (unknown as )?Draft</)).toEqual(makes);
  });

  test('is put back from a checkpoint only', () => {
    expect(filesWith(/\bmachine\.restore\(/)).toEqual(['machine/checkpoint.ts']);
    expect(filesWith(/\brestore\(draft/)).toEqual(['machine/context.ts']);
  });

  test('comes to listeners as something they cannot write', () => {
    const listeners = filesWith(/\bDraft\b/).filter((path) => /^(replay|debugger|host)\//.test(path));
    expect(listeners).toEqual(['replay/fold.ts']);
  });
});
