import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../../bin/retrovisor.js', import.meta.url));

/** Whether a stock gdb is installed; the tests that need it are skipped otherwise. */
export const hasGdb = spawnSync('gdb', ['--version']).status === 0;

/** A server for one trace, and the port it listens on. */
export interface Served {
  readonly port: number;
  readonly process: ChildProcess;
  /** What it said on standard error so far. */
  said(): string;
  stop(): void;
}

/** Start `retrovisor gdb` on a free port. */
export async function serve(trace: string, ...options: string[]): Promise<Served> {
  const child = spawn(process.execPath, [BIN, 'gdb', trace, '--port', '0', ...options]);
  let said = '';
  child.stderr.on('data', (bytes) => {
    said += String(bytes);
  });
  const port = await new Promise<number>((resolve, reject) => {
    let out = '';
    child.stdout.on('data', (bytes) => {
      out += String(bytes);
      const found = /127\.0\.0\.1:(\d+)/.exec(out)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    child.on('exit', (status) => reject(new Error(`retrovisor gdb ended with ${status}: ${out}${said}`)));
  });
  return { port, process: child, said: () => said, stop: () => void child.kill() };
}

/** What stock gdb prints for a list of commands, standing at the beginning of a served trace. */
export async function gdbOn(
  { port }: Served,
  folder: string,
  commands: readonly string[],
  file: readonly string[] = [],
): Promise<string> {
  const script = join(folder, `${port}.gdb`);
  const before = ['set pagination off', 'set confirm off', 'set remotetimeout 60', `target remote 127.0.0.1:${port}`];
  writeFileSync(script, [...before, ...commands, 'detach', ''].join('\n'));
  const gdb = spawn('gdb', ['-nx', '-batch', ...file, '-x', script]);
  let out = '';
  for (const stream of [gdb.stdout, gdb.stderr]) stream.on('data', (bytes) => void (out += String(bytes)));
  await new Promise((resolve) => gdb.on('close', resolve));
  return out;
}

/** Commands that go to a place of the run, which gdb then looks at afresh. */
export const seek = (place: string): string[] => [`monitor seek ${place}`, 'maintenance flush register-cache'];

/** Values `echo` and `printf` put into the output as `name=value`. */
export const valuesIn = (out: string, name: string): string[] =>
  [...out.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value as string);

/** A command of a session in a document, and what the document says gdb prints. */
export interface Exchange {
  readonly command: string;
  readonly printed: string;
}

/** The commands of the first ```gdb block of a document, but for the connection. */
export function sessionIn(document: string): Exchange[] {
  const session = /```gdb\n(\(gdb\)[\s\S]*?)```/.exec(document)?.[1] ?? '';
  return session
    .split(/^\(gdb\) /m)
    .slice(1)
    .map((part) => {
      const [command, ...printed] = part.split('\n');
      return { command: command as string, printed: printed.join('\n').trim() };
    })
    .filter(({ command }) => !command.startsWith('target'));
}

/** What gdb prints for each command of a session. */
export async function answersTo(
  served: Served,
  folder: string,
  session: readonly Exchange[],
  file: readonly string[] = [],
): Promise<string[]> {
  const commands = session.flatMap(({ command }, at) => [`echo @${at}@\\n`, command]);
  const out = await gdbOn(served, folder, [...commands, 'echo @end@\\n'], file);
  return session.map((_, at) => {
    const next = at + 1 === session.length ? 'end' : at + 1;
    return (out.split(new RegExp(`^@${at}@$|^@${next}@$`, 'm'))[1] ?? '').trim();
  });
}
