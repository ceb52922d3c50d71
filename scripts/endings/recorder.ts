import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/** How a recording is ended. `disk`: the folder of its trace is full; `stdout`: so is where its console goes. */
export const WAYS = ['SIGKILL', 'SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'pipe', 'disk', 'stdout'] as const;
export type Way = (typeof WAYS)[number];

/** What was seen of a recording from outside. */
export interface Seen {
  /** Bytes of the guest's console in the order in which they came, and when. */
  readonly console: Buffer;
  /** Of each byte, milliseconds. */
  readonly times: readonly number[];
  /** When it was ended; of a full disk, when the recorder was gone. */
  readonly endedAt: number;
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly said: string;
}

/** Record until the moment comes, so many milliseconds after the recorder says that it records, and end it so. */
export async function recordUntil(command: readonly string[], way: Way, moment: number): Promise<Seen> {
  const [program, ...args] = command as [string, ...string[]];
  const full = way === 'stdout' ? openSync('/dev/full', 'w') : undefined;
  const child = spawn(program, args, { stdio: ['ignore', full ?? 'pipe', 'pipe'] });
  if (full !== undefined) closeSync(full);
  const pieces: Buffer[] = [];
  const times: number[] = [];
  child.stdout?.on('data', (bytes: Buffer) => {
    const now = performance.now();
    pieces.push(bytes);
    for (let i = 0; i < bytes.length; i += 1) times.push(now);
  });
  let said = '';
  let endedAt = Number.NaN;
  let timer: NodeJS.Timeout | undefined;
  child.stderr?.on('data', (bytes: Buffer) => {
    const hasBegun = said.includes('recording');
    said += String(bytes);
    if (hasBegun || !said.includes('recording')) return;
    timer = setTimeout(() => {
      endedAt = performance.now();
      end(child, way);
    }, moment);
  });
  return new Promise((resolve) => {
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (Number.isNaN(endedAt)) endedAt = performance.now();
      resolve({ console: Buffer.concat(pieces), times, endedAt, status, signal, said });
    });
  });
}

function end(child: ChildProcess, way: Way): void {
  if (way === 'pipe') child.stdout?.destroy();
  else if (way === 'disk' || way === 'stdout') child.kill('SIGKILL');
  else child.kill(way);
}
