import { describe, expect, test } from 'vitest';
import { isModule, modulesOf } from '../../src/runs/machine/modules.ts';

describe('the modules of a multiboot kernel', () => {
  test('stand with commas between them, arguments behind a space; two commas are one of a name or an argument', () => {
    expect(modulesOf('dir/a b,,c  d,e,,,f')).toEqual([
      { role: 'initrd', path: 'dir/a', name: 'a b,c  d' },
      { role: 'module2', path: 'e,', name: 'e,' },
      { role: 'module3', path: 'f', name: 'f' },
    ]);
  });

  test('may have a comma at the end, with nothing behind it', () => {
    expect(modulesOf('a,').map(({ path }) => path)).toEqual(['a']);
    expect(modulesOf('a,,,').map(({ path }) => path)).toEqual(['a,']);
  });

  test.each([',a', ' x'])('have names each: %j', (text) => {
    expect(() => modulesOf(text)).toThrow(/module 1 of \d has no name/);
  });

  test('are told from other images by their role', () => {
    expect(['module2', 'module', 'module0', 'modules2', 'initrd', 'kernel'].filter(isModule)).toEqual(['module2']);
  });
});
