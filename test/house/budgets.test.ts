import { describe, expect, test } from 'vitest';
import { filesMatching, findings } from './sources.ts';

const LINE_MAX = 120;
const FILE_MAX = 400;

/** Tables, which are read by row: their length says nothing about their difficulty. */
const TABLES: readonly RegExp[] = [/^src\/events\/[a-z]+\.ts$/, /\/tables?\//, /-table\.ts$/];

const OURS = filesMatching(/^(src|test|scripts|bench|bin)\/.*\.(ts|js)$/);

describe('budgets', () => {
  test(`no line is longer than ${LINE_MAX} columns`, () => {
    expect(findings(OURS, (line) => (line.length > LINE_MAX ? `${line.length} columns` : undefined))).toEqual([]);
  });

  test(`no file is longer than ${FILE_MAX} lines, tables aside`, () => {
    const long = OURS.filter(({ path }) => !TABLES.some((table) => table.test(path)))
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > FILE_MAX);
    expect(long).toEqual([]);
  });

  test('no line ends in a space and no source file lacks its last newline', () => {
    expect(findings(OURS, (line) => (/[ \t]$/.test(line) ? 'space at the end' : undefined))).toEqual([]);
    expect(OURS.filter(({ text }) => text !== '' && !text.endsWith('\n')).map(({ path }) => path)).toEqual([]);
  });
});
