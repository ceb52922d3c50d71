import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** One file of the project, with its text. */
export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every file git knows or would take, as paths relative to the root. */
export const PROJECT_FILES: readonly string[] = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard'],
  { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 },
)
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(ROOT, path)))
  .sort();

/** The text of one file of the project. */
export const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The project's files whose path matches, with their text. */
export const filesMatching = (pattern: RegExp): SourceFile[] =>
  PROJECT_FILES.filter((path) => pattern.test(path)).map((path) => ({ path, text: textOf(path) }));

/** TypeScript of the product itself. */
export const PRODUCT: readonly SourceFile[] = filesMatching(/^src\/.*\.ts$/);

const IMPORT = /(?:^|[\s;])(?:import|export)\s[^'"`;]*?from\s*'([^']+)'|^import\s*'([^']+)'|\bimport\('([^']+)'\)/gm;

/** What a file imports: paths relative to the root for its own modules, package names for others. */
export function importsOf({ path, text }: SourceFile): string[] {
  return [...text.matchAll(IMPORT)].map((match) => {
    const target = (match[1] ?? match[2] ?? match[3]) as string;
    return target.startsWith('.') ? posix.join(posix.dirname(path), target) : target;
  });
}

/** Lines that break a rule, as `path:line: what`. */
export function findings(files: readonly SourceFile[], offence: (line: string) => string | undefined): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const what = offence(line);
      return what === undefined ? [] : [`${path}:${index + 1}: ${what}`];
    }),
  );
}
