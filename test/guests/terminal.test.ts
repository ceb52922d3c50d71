import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { tool, without } from '../stepping-aside.ts';
import { guestFile, noGuests, retrovisor, scratchFolder } from './command-line.ts';

const folder = scratchFolder();
const HERE = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const TOUR = HERE('../../guests/tour/tour.elf');
const INTERACTIVE = ['-kernel', TOUR, '-append', 'interactive'];

/** Run `retrovisor` on a pseudo terminal; keys are typed once the terminal shows what they wait for. */
function onTerminal(args: readonly string[], ...keys: readonly (readonly [wait: string, keys: string])[]) {
  const command = [HERE('on-a-terminal.py'), process.execPath, HERE('../../bin/retrovisor.js'), ...args];
  const input = keys.map((pair) => `${pair.join('\t')}\n`).join('');
  const ran = spawnSync('python3', command, { encoding: 'utf8', input, timeout: 200_000 });
  return { status: ran.status, shown: ran.stdout };
}

describe('input from a pipe', () => {
  test('reaches a guest that only polls its serial line, and the run replays', () => {
    const trace = join(folder, 'piped.trace');
    const ran = retrovisor(['run', ...INTERACTIVE, '-nodefaults', '-serial', 'stdio', '--trace', trace], 'xyz', 1);
    expect(ran.out).toContain('You pressed 78h.');
    expect(ran.status).toBe(0);
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
  });
});

describe('a terminal', without(tool('python3')), () => {
  test('passes Ctrl-C to the guest', () => {
    const { shown } = onTerminal(['run', ...INTERACTIVE, '--no-trace'], ['Press a key', '\\x03']);
    expect(shown).toContain('You pressed 03h.');
  });

  test('ends the run at Ctrl-A x', () => {
    const { shown, status } = onTerminal(['run', ...INTERACTIVE, '--no-trace'], ['Press a key', '\\x01x']);
    expect(shown).toContain('Ended by Ctrl-A x.');
    expect(status).toBe(0);
  });

  test('opens the monitor at Ctrl-A c and goes back to the guest', () => {
    const { shown } = onTerminal(
      ['run', ...INTERACTIVE, '--no-trace'],
      ['Press a key', '\\x01c'],
      ['(retrovisor)', 'info status\\r'],
      ['VM status: running', '\\x01cq'],
    );
    expect(shown).toContain('You pressed 71h.');
  });

  test("interrupts a command at Linux's shell by Ctrl-C", without(noGuests('vmlinuz', 'initramfs.gz')), () => {
    const kernel = ['-kernel', guestFile('vmlinuz'), '-initrd', guestFile('initramfs.gz'), '-m', '256'];
    const { shown, status } = onTerminal(
      ['run', ...kernel, '-append', 'console=ttyS0 quiet cryptomgr.notests=1', '--no-trace'],
      ['/ # ', "setsid sh -c 'exec sh <>/dev/ttyS0 >&0 2>&1'\\r"],
      ['/ # ', 'sleep 1000\\r'],
      ['sleep 1000', '\\x03'],
      ['/ # ', 'echo back $?\\r'],
      ['back 130', 'poweroff -f\\r'],
    );
    expect(shown).toContain('back 130');
    expect(status).toBe(0);
  });
});
