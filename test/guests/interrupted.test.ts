import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { VIEW_NAMES } from '../../src/debugger/views/asked.ts';
import { LONG_LINES, QUICK_COMMANDS } from '../debugger/prompt/long-lines.ts';
import { tool, without } from '../stepping-aside.ts';
import { scratchFolder } from './command-line.ts';
import { longBoot, NO_BOOT } from './long-boot.ts';

const folder = scratchFolder();
const HERE = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
/** A person takes more for waiting. Of the debugger's own processor time: a busy machine is not its fault. */
const AT_ONCE = 0.3;

interface Answered {
  readonly text: string;
  readonly stopped: boolean;
  readonly processor: number;
  readonly wall: number;
  readonly shown: string;
}

/** Type lines at the prompt on a terminal, and Ctrl-C once each has run for a while. */
function stopEach(trace: string, lines: readonly { readonly text: string; readonly stop: boolean }[]) {
  const command = [HERE('interrupted.py'), '(rewind) ', process.execPath, HERE('../../bin/retrovisor.js')];
  const env = { ...process.env, SECONDS_BEFORE: process.env['RETROVISOR_BEFORE'] ?? '0.6', HOME: folder };
  const ran = spawnSync('python3', [...command, 'debug', trace], {
    encoding: 'utf8',
    input: JSON.stringify(lines),
    env,
    timeout: 1_500_000,
    maxBuffer: 1 << 28,
  });
  expect(ran.stderr).toBe('');
  return JSON.parse(ran.stdout) as { readonly status: number; readonly answers: readonly Answered[] };
}

describe('Ctrl-C on a long run', without(tool('python3'), NO_BOOT), () => {
  test('is answered at once in every command, and keeps the session', () => {
    const trace = longBoot(folder);
    const quick = [...QUICK_COMMANDS, ...VIEW_NAMES].map((text) => ({ text, stop: true }));
    const long = LONG_LINES.flatMap((text) => [
      { text, stop: true },
      { text: 'at 30%', stop: false },
    ]);
    const asked = [{ text: 'at 30%', stop: false }, ...quick, ...long, { text: 'regs', stop: false }];
    const { status, answers } = stopEach(trace, asked);
    expect(status).toBe(0);
    const late = answers.filter(({ stopped, processor }) => stopped && processor > AT_ONCE);
    expect(late.map(({ text, processor }) => `${text}: ${processor} s`)).toEqual([]);
    const stopped = answers.filter((answer) => answer.stopped);
    for (const { text, shown } of stopped)
      expect(`${text}: ${shown}`).toMatch(/Stopped[^\n]*\.\r\ntick \d+ after #\d+/);
    // Whatever was answered before it could be stopped was answered at once.
    const most = Math.max(...stopped.map(({ wall }) => wall));
    console.log(`${stopped.length} of ${asked.length} stopped, the latest after ${most.toFixed(3)} s`);
    expect(stopped.length).toBeGreaterThan(LONG_LINES.length / 2);
    // The first line of all ran to its end, for seconds: it told how far it was.
    expect(answers[0]?.shown).toMatch(/at 30%: \d+ %, \d+ (s|min) left/);
    expect(answers.at(-1)?.shown).toContain('RIP=');
  });
});
