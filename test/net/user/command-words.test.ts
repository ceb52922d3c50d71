import { expect, test } from 'vitest';
import { commandWords } from '../../../src/net/user/command-words.ts';

/** What g_shell_parse_argv(3) makes of command lines. */
const LINES = [
  ['cat', ['cat']],
  ['  cat \t -n\t-e  ', ['cat', '-n', '-e']],
  [`sh -c 'echo "$HOME"'`, ['sh', '-c', 'echo "$HOME"']],
  [`a "b" '' ""`, ['a', 'b', '', '']],
  [`a "b c"'d e'f`, ['a', 'b cd ef']],
  [`'it'\\''s'`, ["it's"]],
  ['a\\ b \\" \\\\ \\c', ['a b', '"', '\\', 'c']],
  ['a "\\$ \\" \\` \\\\ \\c"', ['a', '$ " ` \\ \\c']],
  ["'\\'", ['\\']],
  ['a \\\nb\\\nc\nd', ['a', 'bc', 'd']],
  ['"a\\\nb"', ['a\nb']],
  ['a # b\nc d#e', ['a', 'c', 'd#e']],
  ['a $b *; | > c', ['a', '$b', '*;', '|', '>', 'c']],
] as const;

test.each(LINES)('%j is its words', (line, words) => {
  expect(commandWords(line)).toEqual(words);
});

test.each(['', '  ', '# a', '"', "a 'b", 'a "b\\"', 'a \\'])('%j is none', (line) => {
  expect(commandWords(line)).toBeUndefined();
});
