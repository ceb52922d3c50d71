import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tool, without } from '../stepping-aside.ts';
import { recordTour, traceFolder } from '../debugger/recorded-tour.ts';

const ENTRY = fileURLToPath(new URL('../../bin/retrovisor.js', import.meta.url));
const folder = traceFolder();
const PROMPT = '(rewind) ';
let child: ChildProcess;
let shown = '';

/** Wait until something is on the terminal after what was there. */
async function sees(text: string, from: number): Promise<string> {
  await vi.waitUntil(() => shown.slice(from).includes(text), { timeout: 8_000, interval: 20 });
  return shown.slice(from);
}

/** Press keys one by one: what comes in one piece is taken for pasted, and Tab in it for a blank. */
async function press(keys: string, expected: string): Promise<string> {
  const from = shown.length;
  for (const key of keys.match(/\x1b\[.|[^\x1b]/g) ?? []) {
    const before = shown.length;
    child.stdin?.write(key);
    await vi.waitUntil(() => shown.length > before, { timeout: 8_000, interval: 5 });
  }
  return sees(expected, from);
}

beforeAll(async () => {
  const trace = join(folder, 'tour.trace');
  recordTour(trace, [], 16_000);
  const command = [process.execPath, ENTRY, 'debug', trace].map((word) => `'${word}'`).join(' ');
  child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', HOME: folder },
  });
  child.stdout?.on('data', (bytes: Buffer) => {
    shown += bytes.toString('latin1');
  });
  await sees(PROMPT, 0);
});

afterAll(() => {
  child?.kill();
});

describe('the prompt on a terminal', without(tool('script')), () => {
  test('completes commands, registers, kinds of events and exit reasons', async () => {
    expect(await press('at 9000\r', PROMPT)).toContain('tick 9000');
    expect(await press('transl\t', 'translate ')).toBeDefined();
    expect(await press('$gs_b\t', '$gs_base')).toBeDefined();
    expect(await press('\r', PROMPT)).toContain('linear 0x0');
    expect(await press('break ex\t', 'exit')).toBeDefined();
    expect(await press(' CPU\t\r', PROMPT)).toContain('1: break exit CPUID');
    expect(await press('continue kvm_userspace_e\t\r', 'KVM_EXIT_IO')).toContain('kvm_userspace_exit');
  });

  test('brings earlier lines back, and repeats the last on an empty one', async () => {
    await press('at 9000\r', 'tick 9000');
    await press('back\r', 'tick 8999');
    await press('\r', 'tick 8998');
    await press('\x1b[A\x1b[A\r', 'tick 9000');
  });

  test('gives up a line at Ctrl-C, however often', async () => {
    await press('at 1234', 'at 1234');
    await press('\x03', PROMPT);
    await press('\x03\x03', PROMPT);
    expect(await press('at\r', PROMPT)).not.toContain('tick 1234');
    expect(child.exitCode).toBeNull();
  });

  test('answers nonsense with a sentence and goes on', async () => {
    await press('frobnicate\r', "Unknown command 'frobnicate'");
    await press('at -\r', 'is neither a place nor a kind');
    await press('regs\r', 'RIP=');
  });

  test('is left at Ctrl-D', async () => {
    child.stdin?.write('\x04');
    await vi.waitUntil(() => child.exitCode !== null, { timeout: 8_000, interval: 20 });
    expect(child.exitCode).toBe(0);
  });
});
