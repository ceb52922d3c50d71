import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { answerPrompt } from '../../src/debugger/prompt/prompt.ts';
import { debugTour, recordRun } from '../debugger/recorded-tour.ts';
import { answer, retrovisor, scratchFolder } from '../guests/command-line.ts';

const folder = scratchFolder();
const trace = join(folder, 'tour.trace');

beforeAll(() => {
  recordRun(['--ticks', '200000', '--trace', trace]);
});

test('index says what it left, info names it, and debug stands where it stood without it', () => {
  const asked = ['debug', trace, '--batch', '--ex', 'at 190000', '--ex', 'regs'];
  const session = debugTour(trace);
  const before = ['at 190000', 'regs'].map((line) => `${answerPrompt(session, line)}\n`).join('');
  // In a process of its own: checkpoints are of use only to the program that left them.
  expect(retrovisor(['index', trace, '--every', '50000'])).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^3 checkpoints in \S.*tour\.trace\.ckpt, \d+\.\d MB\n$/),
  });
  expect(retrovisor(['info', trace]).out).toContain(`3 checkpoints in ${trace}.ckpt`);
  expect(before).toContain('RIP=');
  expect(retrovisor(asked)).toEqual({ status: 0, out: before, err: '' });
});

test.each([
  ['a stride too short to be of use', ['index', trace, '--every', '5'], 2, '--every'],
  ['a trace that is not there', ['index', join(folder, 'none')], 1, 'there is no such file'],
  ['checkpoints without a trace', ['run', '--checkpoints', '--no-trace'], 2, '--checkpoints needs a trace'],
])('%s is answered with one sentence', async (_, args, status, words) => {
  const ran = await answer(args);
  expect(ran.err.trim().split('\n')).toHaveLength(1);
  expect(ran.err).toContain(words);
  expect(ran.status).toBe(status);
  expect(existsSync(`${trace}.ckpt.part`)).toBe(false);
});

test('a command that fails makes --batch fail and is named, and the next is answered, as in gdb', async () => {
  const given = ['debug', trace, '--batch', '--ex', 'at 1000', '--ex', 'bogus', '--ex', 'at nowhere', '--ex', 'at'];
  const ran = await answer(given);
  expect(ran.status).toBe(1);
  expect(ran.err).toContain("retrovisor: --ex 'bogus': Unknown command 'bogus'");
  expect(ran.err).toContain("retrovisor: --ex 'at nowhere': nowhere is neither a place");
  expect((await answer(given.slice(0, 5))).status).toBe(0);
});
