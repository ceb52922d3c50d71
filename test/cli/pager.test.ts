import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../house/sources.ts';
import { LONG } from '../how-long.ts';
import { tool, without } from '../stepping-aside.ts';

const COMMAND = `'${process.execPath}' '${join(ROOT, 'bin/retrovisor.js')}'`;
const TRACE = join(ROOT, 'traces/tour.trace');

/** A command on a terminal, or before a pipe. */
function said(words: string, where: 'terminal' | 'pipe', environment: NodeJS.ProcessEnv): [number | null, string] {
  const args = where === 'terminal' ? ['script', '-qec', `${COMMAND} ${words}`, '/dev/null'] : ['sh', '-c', ''];
  if (where === 'pipe') args[2] = `${COMMAND} ${words} | cat`;
  const [program = '', ...rest] = args;
  const env = { ...process.env, RETROVISOR_PAGER: undefined, ...environment };
  const { status, stdout } = spawnSync(program, rest, { encoding: 'utf8', env, timeout: 60_000 });
  return [status, stdout.replaceAll('\r', '')];
}

describe('a long answer on a terminal', { ...LONG, ...without(tool('script')) }, () => {
  const PAGER = 'sed s/^/paged:/';

  test("goes through the pager, and the status is the command's", () => {
    const [status, text] = said(`events ${TRACE} --limit 3`, 'terminal', { PAGER });
    expect(status).toBe(0);
    expect(text.split('\n').filter((line) => line.startsWith('paged:'))).toHaveLength(3);
    expect(said('events /nowhere', 'terminal', { PAGER })[0]).toBe(1);
  });

  test.each([
    [`events ${TRACE} --limit 3 --no-pager`, 'terminal', { PAGER }],
    [`events ${TRACE} --limit 3`, 'terminal', { PAGER: 'cat' }],
    [`events ${TRACE} --limit 3`, 'pipe', { PAGER }],
  ] as const)('does not: %s on a %s with %j', (words, where, environment) => {
    const [status, text] = said(words, where, environment);
    expect(status).toBe(0);
    expect(text).not.toContain('paged:');
    expect(text).toContain('sim:powered_on');
  });
});
