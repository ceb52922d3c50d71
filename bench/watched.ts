import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** What a program used between the two lines a guest prints around one load. */
export interface Spent {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Bytes the file grew that it records into. */
  readonly recorded: number;
}

interface Mark {
  readonly cpu: number;
  readonly wall: number;
  readonly size: number;
}

/** Of Linux' USER_HZ, which /proc counts in (proc(5)). */
const TICKS_PER_SECOND = 100;

/** User and system time of a process, in seconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * Run a program whose guest prints `BENCH begin NAME` and `BENCH end NAME` on its standard output; `recording` is the
 * file it writes meanwhile. Anything else it prints after its first mark is a load that complained: an error.
 */
export async function watched(
  program: string,
  args: readonly string[],
  recording: string | undefined,
): Promise<ReadonlyMap<string, Spent>> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const pid = child.pid!;
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  let errors = '';
  child.stderr.on('data', (bytes) => {
    errors += bytes;
  });
  const now = (): Mark => ({
    cpu: cpuOf(pid),
    wall: performance.now() / 1000,
    size: recording !== undefined && existsSync(recording) ? statSync(recording).size : 0,
  });
  const begun = new Map<string, Mark>();
  const spent = new Map<string, Spent>();
  const complaints: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    const [, which, name] = /BENCH (begin|end) ([^\r]*)/.exec(line) ?? [];
    if (name === undefined) {
      if (begun.size > spent.size) complaints.push(line);
    } else if (which === 'begin') begun.set(name, now());
    else {
      const before = begun.get(name)!;
      const after = now();
      spent.set(name, {
        cpuSeconds: after.cpu - before.cpu,
        wallSeconds: after.wall - before.wall,
        recorded: after.size - before.size,
      });
    }
  }
  const status = await ended;
  if (status === 0 && complaints.length === 0) return spent;
  throw new Error(`${program} ended with status ${status}.\n${complaints.join('\n')}\n${errors.slice(-2000)}`);
}
