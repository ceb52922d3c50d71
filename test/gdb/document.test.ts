import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchFolder } from '../guests/command-line.ts';
import { recordRun } from '../debugger/recorded-tour.ts';
import { without } from '../stepping-aside.ts';
import { answersTo, NO_GDB, serve, sessionIn } from './stock-gdb.ts';

const folder = scratchFolder();
const DOCUMENT = readFileSync(new URL('../../docs/gdb.md', import.meta.url), 'utf8');

/** Numbers differ when a guest or the cost of an exit changes. */
const withoutNumbers = (text: string): string => text.replace(/0x[0-9a-f]+|\d+(\.\d+)?/g, 'N').trim();

test('the session in docs/gdb.md is what gdb prints, numbers aside', {
  ...without(NO_GDB),
  timeout: 120_000,
}, async () => {
  const session = sessionIn(DOCUMENT);
  expect(session.length).toBeGreaterThan(15);
  const trace = join(folder, 'doc.trace');
  recordRun(['--wall-clock', '2024-01-01T00:00:00Z', '--trace', trace]);
  const served = await serve(trace, '--once');
  const answers = await answersTo(served, folder, session);
  served.stop();
  for (const [at, { command, printed }] of session.entries()) {
    expect(`${command}: ${withoutNumbers(answers[at] as string)}`).toBe(`${command}: ${withoutNumbers(printed)}`);
  }
});
