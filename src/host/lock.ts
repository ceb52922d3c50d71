import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import * as z from 'zod';
import { Problem } from '../base/problem.ts';
import { worldProblem } from './files.ts';

/** Who writes a file, as it stands in the lock beside it. */
const HOLDER = z
  .object({
    retrovisor: z.literal('lock'),
    pid: z.number().int().positive(),
    /** When it was started, in the system's own count: another process may get the number of one that is gone. */
    started: z.string(),
    /** Host, its boot and the processes that see each other there. */
    host: z.string(),
    boot: z.string(),
    processes: z.string(),
  })
  .readonly();

type Holder = z.infer<typeof HOLDER>;

const orNothing = (read: () => string): string => {
  try {
    return read().trim();
  } catch {
    return '';
  }
};

/** Field 22 of `/proc/PID/stat`; the second may hold blanks and ends with the last parenthesis. */
const startOf = (pid: number): string =>
  orNothing(() => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ')[19] ?? '');

const ourselves = (): Holder => ({
  retrovisor: 'lock',
  pid: process.pid,
  started: startOf(process.pid),
  host: hostname(),
  boot: orNothing(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
  processes: orNothing(() => readlinkSync('/proc/self/ns/pid')),
});

const lockOf = (path: string): string => `${path}.lock`;

/**
 * Be the only one that writes a file, until what this returns is called, or this process is gone, however it ends.
 * Throws a Problem when somebody else writes it.
 */
export function locked(path: string): () => void {
  const lock = lockOf(path);
  const own = JSON.stringify(ourselves());
  while (!hasTaken(lock, own)) {
    const there = orNothing(() => readFileSync(lock, 'utf8'));
    if (there === '') continue;
    const holder = holderIn(there, lock);
    if (!isGone(holder)) throw new Problem(refusal(path, holder));
    takeAway(lock, there);
  }
  let isHeld = true;
  return () => {
    if (isHeld && orNothing(() => readFileSync(lock, 'utf8')) === own) rmSync(lock, { force: true });
    isHeld = false;
  };
}

/** Whether somebody writes a file, as far as can be known. */
export function isWritten(path: string): boolean {
  const there = orNothing(() => readFileSync(lockOf(path), 'utf8'));
  return there !== '' && !isGone(holderIn(there, lockOf(path)));
}

/** Put a lock there, whole from its first moment on; false when there is one. */
function hasTaken(lock: string, own: string): boolean {
  const draft = `${lock}.${process.pid}`;
  try {
    writeFileSync(draft, own);
    linkSync(draft, lock);
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw worldProblem('write', lock, error);
    return hasWritten(lock, own);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The same where a file cannot have two names. */
function hasWritten(lock: string, own: string): boolean {
  try {
    writeFileSync(lock, own, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw worldProblem('write', lock, error);
  }
}

function holderIn(text: string, lock: string): Holder {
  const isJson = /^\{.*\}$/s.test(text);
  const parsed = HOLDER.safeParse(isJson ? parsedJson(text) : undefined);
  if (parsed.success) return parsed.data;
  throw new Problem(
    `${lock} is no lock of Retrovisor's: it is left as it is. Choose another name for what is recorded.`,
  );
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether the process is known to be no more. Of one on another host, or unseen in a container, nothing is known. */
function isGone({ pid, started, host, boot, processes }: Holder): boolean {
  const own = ourselves();
  if (host !== own.host) return false;
  if (boot !== own.boot) return true;
  if (processes !== own.processes) return false;
  return !isAlive(pid) || startOf(pid) !== started;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function refusal(path: string, { pid, host }: Holder): string {
  const choose = 'Choose another name with --trace, or end that first.';
  if (host !== hostname()) {
    const remove = `if that is no more, remove ${lockOf(path)}`;
    return `${path} is being written by process ${pid} on ${host}: ${remove}. ${choose}`;
  }
  return `${path} is being written by ${pid === process.pid ? 'this very process' : `process ${pid}`}. ${choose}`;
}

/** Take the lock of a process that is gone away, and no other that came meanwhile. */
function takeAway(lock: string, stale: string): void {
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
    if (readFileSync(aside, 'utf8').trim() !== stale) linkSync(aside, lock);
  } catch {
    // Somebody else was faster: look again.
  } finally {
    rmSync(aside, { force: true });
  }
}
