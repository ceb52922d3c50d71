import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../house/sources.ts';
import { LONG } from '../how-long.ts';

const TRACE = join(ROOT, 'traces/tour.trace');
const COMMANDS = ['--help', 'run --help', '--version', `events ${TRACE}`, `info ${TRACE}`, 'completion zsh'];

/** A command with its standard output led elsewhere by a shell: its status, and what it says of that. */
function led(words: string, where: string): { readonly status: number; readonly err: string } {
  const command = `'${process.execPath}' '${join(ROOT, 'bin/retrovisor.js')}' ${words} ${where}`;
  const { output } = spawnSync('bash', ['-c', `${command}; echo "\${PIPESTATUS[0]}" >&3`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  return { status: Number(output[3]), err: output[2] ?? '' };
}

describe('standard output that takes nothing', LONG, () => {
  test.runIf(existsSync('/dev/full')).each(COMMANDS)('is full: %s says so in a sentence, with status 1', (words) => {
    const { status, err } = led(words, '>/dev/full');
    expect([status, err]).toEqual([1, 'retrovisor: Cannot write to standard output: the disk is full.\n']);
  });

  test.each(COMMANDS)('has no reader: %s ends without a word, with the status of SIGPIPE', (words) => {
    const { status, err } = led(words, '| (exec <&-; sleep 0.2)');
    expect(err).toBe('');
    expect([0, 141]).toContain(status);
    if (words.startsWith('events')) expect(status).toBe(141);
  });
});
