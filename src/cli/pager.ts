import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Commands whose answer may be longer than a screen. */
const LONG: ReadonlySet<string> = new Set(['events', 'stat', 'info', 'diff', 'console', 'packets', 'help']);

const NO_PAGER = '--no-pager';
/** What goes on for ever is read as it comes. */
const FOLLOW = '--follow';

/** less, with git's options: a short answer ends it, and stays on the screen. */
const USUAL = 'if command -v less >/dev/null; then exec less; else exec cat; fi';

/** The words of a command, without the one that says nothing about its answer. */
export const withoutPager = (argv: readonly string[]): string[] => argv.filter((word) => word !== NO_PAGER);

/** The pager a person wants for this command; undefined: none. */
export function pagerFor(argv: readonly string[]): string | undefined {
  const { stdout, stdin, platform, env } = process;
  if (stdout.isTTY !== true || stdin.isTTY !== true || platform === 'win32') return undefined;
  if (!LONG.has(argv[0] ?? '') || argv.includes(NO_PAGER) || argv.includes(FOLLOW)) return undefined;
  const wanted = env['RETROVISOR_PAGER'] ?? env['PAGER'];
  if (wanted === undefined) return USUAL;
  return wanted === '' || wanted === 'cat' ? undefined : wanted;
}

/** The command in a process of its own that writes to the pager, at its pace. Resolves to the command's status. */
export async function paged(pager: string, argv: readonly string[]): Promise<number> {
  const env = { LESS: 'FRX', ...process.env, COLUMNS: `${process.stdout.columns}` };
  const shown = spawn('sh', ['-c', pager], { stdio: ['pipe', 'inherit', 'inherit'], env });
  // Ctrl-C is for the pager.
  const stay = (): void => undefined;
  process.on('SIGINT', stay);
  const own = [...process.execArgv, process.argv[1] as string];
  const command = spawn(process.execPath, [...own, ...argv], { stdio: ['inherit', shown.stdin, 'inherit'], env });
  shown.stdin.destroy();
  const [[status]] = await Promise.all([once(command, 'exit'), once(shown, 'exit')]);
  process.off('SIGINT', stay);
  return (status as number | null) ?? 1;
}
