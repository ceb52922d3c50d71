/** A comment, blanks, and pieces of a word: within quotation marks of either kind, behind a backslash, and others. */
const PIECE = /((?<![^ \n])#[^\n]*)|([ \t\n]+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^ \t\n'"\\])/gsy;

/** In double quotation marks a backslash is one, but before these. */
const ESCAPED = /\\(["\\`$\n])/g;

/**
 * The words of a command line by the rules of g_shell_parse_argv(3), by which libslirp takes a program's: quotation
 * marks and backslashes as a shell has them, and nothing else of it. Undefined: there is none, or a mark is not closed.
 */
export function commandWords(line: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let read = 0;
  for (const [piece, ...parts] of line.matchAll(PIECE)) {
    read += piece.length;
    const [comment, blank, single, double, behind, plain] = parts;
    if (comment !== undefined || piece === '\\\n') continue;
    if (blank === undefined) word = (word ?? '') + (single ?? double?.replaceAll(ESCAPED, '$1') ?? behind ?? plain);
    else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  if (word !== undefined) words.push(word);
  return read < line.length || words.length === 0 ? undefined : words;
}
