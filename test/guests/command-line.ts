import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const GUESTS = join(ROOT, '.guests');

/** What a run of the command line came to. */
export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Run `retrovisor` in a process of its own, with nothing on standard input but `typed`. */
export function retrovisor(args: readonly string[], typed = '', minutes = 15): Ran {
  const ran = spawnSync(process.execPath, [join(ROOT, 'bin/retrovisor.js'), ...args], {
    encoding: 'utf8',
    input: typed,
    timeout: minutes * 60_000,
    maxBuffer: 1 << 28,
  });
  return { status: ran.status, out: ran.stdout, err: ran.stderr };
}

/** A file `npm run guests` fetches. */
export const guestFile = (name: string): string => join(GUESTS, name);

/** Whether all of these guest files are there; a test that needs them is skipped otherwise. */
export const haveGuests = (...names: readonly string[]): boolean => names.every((name) => existsSync(guestFile(name)));

/** A folder for one test file's traces, gone afterwards. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
