import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

/** Where guests go. */
export const FOLDER =
  process.env['RETROVISOR_GUESTS'] ?? join(dirname(fileURLToPath(import.meta.url)), '../../.guests');

const PACKAGES = join(FOLDER, 'packages');

/** What the machine lacks: one sentence for the person who asked. */
export class Missing extends Error {}

/** apt with lists of its own, so that neither root nor an earlier `apt-get update` is needed. */
const PRIVATE_LISTS = [`Dir::State::lists=${FOLDER}/apt/lists`, `Dir::Cache=${FOLDER}/apt/cache`].flatMap((option) => [
  '-o',
  option,
]);

let aptOptions: readonly string[] = [];

export function output(program: string, args: readonly string[], cwd = FOLDER): string {
  return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 });
}

/** Whether a program is here and answers. */
export const isHere = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

export function requireApt(): void {
  for (const program of ['apt-get', 'apt-cache', 'dpkg-deb']) {
    if (isHere(program)) continue;
    throw new Missing(
      `\`${program}\` is not here: the guests come from Debian's packages and need Debian 12 or a container of it. ` +
        'Any bzImage, initrd and SeaBIOS of your own work as well: see docs/guide.md.',
    );
  }
}

/** The candidate's file name in the archive's index, or undefined when apt knows no such package. */
function isKnown(name: string): boolean {
  const found = spawnSync('apt-cache', [...aptOptions, 'show', name], { encoding: 'utf8' });
  return found.status === 0 && found.stdout.includes(`Package: ${name}\n`);
}

export function useListsThatKnow(name: string): void {
  if (isKnown(name)) return;
  console.log(`apt has no list with ${name}: fetching package lists of our own ...`);
  mkdirSync(join(FOLDER, 'apt/lists/partial'), { recursive: true });
  mkdirSync(join(FOLDER, 'apt/cache/archives/partial'), { recursive: true });
  aptOptions = PRIVATE_LISTS;
  const updated = spawnSync('apt-get', [...aptOptions, 'update'], { encoding: 'utf8' });
  if (isKnown(name)) return;
  throw new Missing(
    `apt offers no package ${name} here; Debian 12's main for amd64 does. ${updated.stderr.trim().split('\n').pop()}`,
  );
}

/** Download a package; older versions of it go. Returns its file. */
export function download(name: string): string {
  mkdirSync(PACKAGES, { recursive: true });
  const begins = `${name}_`;
  for (const old of readdirSync(PACKAGES)) if (old.startsWith(begins)) rmSync(join(PACKAGES, old));
  output('apt-get', [...aptOptions, '-q', 'download', name], PACKAGES);
  const file = readdirSync(PACKAGES).find((candidate) => candidate.startsWith(begins));
  if (file === undefined) throw new Missing(`apt-get download ${name} left no file in ${PACKAGES}.`);
  return join(PACKAGES, file);
}

export const versionOf = (file: string): string => output('dpkg-deb', ['-f', file, 'Version']).trim();

/** Download a package and unpack it into a tree. Returns its version. */
export function unpack(name: string, tree: string): string {
  const file = download(name);
  output('dpkg-deb', ['-x', file, tree]);
  return versionOf(file);
}

/** The package that really holds what a name without a version only depends on. */
export function packageBehind(name: string, pattern: RegExp): string {
  const depends = output('apt-cache', [...aptOptions, 'depends', name]);
  const found = pattern.exec(depends)?.[1];
  if (found === undefined) throw new Missing(`${name} depends on no image: see \`apt-cache depends ${name}\`.`);
  return found;
}

/** A file in the folder of guests, by its SHA-256. */
export async function identity(file: string): Promise<{ readonly file: string; readonly sha256: string }> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(join(FOLDER, file)), hash);
  return { file, sha256: hash.digest('hex') };
}
