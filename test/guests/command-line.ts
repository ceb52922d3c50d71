import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import type { Print } from '../../src/cli/trace-commands.ts';
import type { Aside } from '../stepping-aside.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const GUESTS = process.env['RETROVISOR_GUESTS'] ?? join(ROOT, '.guests');

/** What a run of the command line came to. */
export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Run `retrovisor` in a process of its own, with nothing on standard input but `typed`, or what an open file has. */
export function retrovisor(args: readonly string[], typed: string | number = '', minutes = 15): Ran {
  const ran = spawnSync(process.execPath, [join(ROOT, 'bin/retrovisor.js'), ...args], {
    encoding: 'utf8',
    ...(typeof typed === 'string' ? { input: typed } : { stdio: [typed, 'pipe', 'pipe'] }),
    timeout: minutes * 60_000,
    maxBuffer: 1 << 28,
  });
  return { status: ran.status, out: ran.stdout, err: ran.stderr };
}

/** The same in this process, for what is answered without a guest: most of what a process costs is its start. */
export async function answer(args: readonly string[]): Promise<Ran> {
  const streams = { out: process.stdout, err: process.stderr };
  const said = { out: '', err: '' };
  const spies = (['out', 'err'] as const).map((name) =>
    vi.spyOn(streams[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  try {
    return { status: await main(args), ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** What a command prints, run in this process: `printed((print) => replay(trace, {}, print))`. */
export async function printed(command: (print: Print) => unknown): Promise<string> {
  const lines: string[] = [];
  await command((line) => void lines.push(`${line}\n`));
  return lines.join('');
}

/** A file `npm run guests` fetches, or `npm run guests -- disk` makes. */
export const guestFile = (name: string): string => join(GUESTS, name);

/** Whether all of these guest files are there. */
export const haveGuests = (...names: readonly string[]): boolean => noGuests(...names) === undefined;

/** What of these guest files is missing. */
export function noGuests(...names: readonly string[]): Aside | undefined {
  const missing = names.some((name) => !existsSync(guestFile(name)));
  const why = 'They are not here: `npm run guests` fetches them, with `-- net` those of networks.';
  return missing ? { what: "Debian's kernel and SeaBIOS", why, kind: 'tool' } : undefined;
}

/** A folder for one test file's traces, gone afterwards. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'retrovisor-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
