import { spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
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

/** A line of .gitignore as a pattern of paths. Of its language we use names, `*`, and slashes at both ends. */
function ignored(line: string): RegExp {
  const name = line
    .replace(/^\/|\/$/g, '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^/]*');
  return new RegExp(`${line.startsWith('/') ? '^' : '(^|/)'}${name}${line.endsWith('/') ? '/' : '(/|$)'}`);
}

/** The files below the root but for what .gitignore names: a folder that came as an archive has no git to ask. */
export function walkedFiles(): string[] {
  const lines = readFileSync(join(ROOT, '.gitignore'), 'utf8').split('\n').filter(Boolean);
  const patterns = ['/.git', ...lines].map(ignored);
  const below = (folder: string): string[] =>
    readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      const isFolder = statSync(join(ROOT, path), { throwIfNoEntry: false })?.isDirectory() ?? false;
      if (patterns.some((pattern) => pattern.test(isFolder ? `${path}/` : path))) return [];
      if (entry.isDirectory()) return below(path);
      return entry.isFile() ? [path] : [];
    });
  return below('.').sort();
}

const isFile = (path: string): boolean => lstatSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile() ?? false;

/** Files git knows or would take; undefined where there is no git, or it does not want to speak of this folder. */
export function filesOfGit(ignoring = '--exclude-standard'): string[] | undefined {
  const ask = (...args: string[]): string | undefined => {
    const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 });
    return status === 0 ? stdout : undefined;
  };
  // The folder may lie in somebody else's repository.
  if (ask('rev-parse', '--show-prefix')?.trim() !== '') return undefined;
  const listed = ask('ls-files', '-z', '--cached', '--others', ignoring)?.split('\0');
  return listed?.filter((path) => path !== '' && isFile(path)).sort();
}

/** Every file of the project, as paths relative to the root. */
export const PROJECT_FILES: readonly string[] = filesOfGit() ?? walkedFiles();

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
