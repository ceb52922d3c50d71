import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { retrovisor, scratchFolder } from '../../guests/command-line.ts';
import { gdbOn, hasGdb, serve } from './stock-gdb.ts';

const folder = scratchFolder();
const DOCUMENT = readFileSync(new URL('../../../docs/gdb.md', import.meta.url), 'utf8');

/** Commands and what the document says gdb prints for each. */
function sessionIn(document: string): { command: string; printed: string }[] {
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

/** Numbers differ when a guest or the cost of an exit changes. */
const withoutNumbers = (text: string): string => text.replace(/0x[0-9a-f]+|\d+(\.\d+)?/g, 'N').trim();

test.skipIf(!hasGdb)(
  'the session in docs/gdb.md is what gdb prints, numbers aside',
  async () => {
    const session = sessionIn(DOCUMENT);
    expect(session.length).toBeGreaterThan(15);
    const trace = join(folder, 'doc.trace');
    retrovisor(['run', '--wall-clock', '2024-01-01T00:00:00Z', '--trace', trace]);
    const served = await serve(trace, '--once');
    const out = await gdbOn(
      served,
      folder,
      session.flatMap(({ command }, at) => [`echo @${at}@\\n`, command]).concat('echo @end@\\n'),
    );
    served.stop();
    for (const [at, { command, printed }] of session.entries()) {
      const next = at + 1 === session.length ? 'end' : at + 1;
      const [, answer] = out.split(new RegExp(`^@${at}@$|^@${next}@$`, 'm'));
      expect(`${command}: ${withoutNumbers(answer ?? '')}`).toBe(`${command}: ${withoutNumbers(printed)}`);
    }
  },
  120_000,
);
