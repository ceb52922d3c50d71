import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replay } from '../../src/cli/replay-commands.ts';
import { printInfo } from '../../src/cli/trace-commands.ts';
import { REGISTERS } from '../../src/gdb/registers.ts';
import { printed, scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { recordRun } from '../debugger/recorded-tour.ts';
import { without } from '../stepping-aside.ts';
import { gdbOn, NO_GDB, seek, type Served, serveHere, valuesIn } from './stock-gdb.ts';

const folder = scratchFolder();
const trace = join(folder, 'tour.trace');
const RAX = String.raw`printf "rax=%lx\n", $rax`;
const SLOT = String.raw`printf "slot=%lx\n", *(long*)$sp`;
const TICK = String.raw`printf "tick=%d\n", $icount`;
const FORK = ['monitor fork'];
const MINUTES = 120_000;

/** The answers of `monitor fork`, in order. */
const forksIn = (out: string): string[] => out.match(/^(A fork since .*|This is the recorded run: .*)$/gm) ?? [];

let served: Served;
let recorded: Buffer;
beforeAll(async () => {
  recordRun(['--wall-clock', '2024-01-01T00:00:00Z', '--trace', trace]);
  recorded = readFileSync(trace);
  served = await serveHere(trace, folder);
}, MINUTES);
afterAll(() => {
  served?.stop();
  expect(readFileSync(trace).equals(recorded)).toBe(true);
});

const gdb = (...commands: string[]): Promise<string> => gdbOn(served, folder, [...seek('50%'), ...commands]);

describe('what gdb writes into the past', without(NO_GDB), () => {
  test(
    'begins a fork, which the next steps go on in, and which stepping back past its beginning leaves',
    async () => {
      const change = ['set $rax = 0x1234', RAX, TICK, ...FORK, 'stepi', RAX, TICK];
      const back = ['reverse-stepi', RAX, 'reverse-stepi', TICK, ...FORK, 'stepi', RAX, 'monitor check'];
      const out = await gdb(RAX, TICK, ...change, ...back);
      const [first] = valuesIn(out, 'rax');
      expect(first).not.toBe('1234');
      expect(valuesIn(out, 'rax')).toEqual([first, '1234', '1234', '1234', first]);
      const at = Number(valuesIn(out, 'tick')[0]);
      expect(valuesIn(out, 'tick').map(Number)).toEqual([at, at, at + 1, at - 1]);
      expect(out).toContain(`Forked at instruction ${at}`);
      const [forked, left] = forksIn(out);
      expect(forked).toContain('Changed: vcpu0.rax=0x1234');
      expect(left).toContain('nothing was changed');
      expect(out).toContain('agrees with the trace');
    },
    MINUTES,
  );

  test(
    'changes memory and vectors too, again and again, and each place of the fork keeps what it had',
    async () => {
      const vector = String.raw`printf "xmm=%x\n", $xmm3.v4_int32[0]`;
      const set = ['set {long}$sp = 0x5555', 'set $xmm3.v4_int32[0] = 7', SLOT, vector];
      const out = await gdb('set $rax = 1', SLOT, 'stepi', ...set, 'reverse-stepi', SLOT, RAX, 'stepi', SLOT, vector);
      const [before, changed, back, again] = valuesIn(out, 'slot');
      expect([changed, again]).toEqual(['5555', '5555']);
      expect(back).toBe(before);
      expect(valuesIn(out, 'rax')).toEqual(['1']);
      expect(valuesIn(out, 'xmm')).toEqual(['7', '7']);
    },
    MINUTES,
  );

  test(
    'forks once more when it is written in the past of a fork',
    async () => {
      const first = ['set $rax = 1', 'stepi 10', 'reverse-stepi 5', 'set $rax = 2', RAX, ...FORK];
      const back = ['reverse-stepi', RAX, ...FORK, 'reverse-stepi 8', ...FORK];
      const out = await gdb(...first, ...back);
      const forks = forksIn(out);
      expect(forks[0]).toContain('Changed: vcpu0.rax=0x1; vcpu0.rax=0x2');
      expect(forks[1]).toMatch(/Changed: vcpu0.rax=0x1\.$/);
      expect(forks[2]).toContain('nothing was changed');
    },
    MINUTES,
  );

  test('is kept by monitor fork save as a trace that replays and names its parent, and dropped by discard', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const fork = join(folder, 'fork.trace');
    const run = ['set $rax = 0x77', 'continue', `monitor fork save ${fork}`];
    const out = await gdb(...run, 'monitor fork discard', ...FORK, `monitor fork save ${trace}`);
    expect(out).toMatch(/fork\.trace: \d+ events/);
    expect(out).toContain('Back in the recorded run');
    expect(await printed((print) => replay(fork, {}, print))).toContain('0 divergences');
    expect(await printed((print) => printInfo(fork, print))).toMatch(/fork of .*tour\.trace at \d+: vcpu0\.rax=0x77/);
    expect(await gdb('set $rax = 0x77', `monitor fork save ${trace}`)).toContain('is the parent');
  });

  test('replays when the same place was changed, gone on from, come back to and changed again', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const fork = join(folder, 'twice.trace');
    const twice = ['set $rax = 1', 'set $rbx = 2', 'stepi', 'reverse-stepi', 'set $rcx = 3', 'stepi 100'];
    await gdb(...twice, 'continue', `monitor fork save ${fork}`);
    expect(await printed((print) => replay(fork, {}, print))).toContain('0 divergences');
    expect(await printed((print) => printInfo(fork, print))).toContain('vcpu0.rax=0x1; vcpu0.rbx=0x2; vcpu0.rcx=0x3');
  });

  test('may be nonsense: the fork ends somewhere, and the recorded run is there again', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const index = (name: string): string => REGISTERS.findIndex((row) => row.name === name).toString(16);
    const raw = (name: string, value: string): string => `maintenance packet P${index(name)}=${value}`;
    for (const change of [
      raw('cr4', 'ffffffffff000000'),
      'set $cr3 = 0x7777777777',
      'set $rsp = 3',
      'set {long}$pc = 0xdeadbeefdeadbeef',
    ]) {
      const out = await gdb(TICK, change, 'stepi', 'continue', 'monitor fork discard', ...seek('50%'), TICK, ...FORK);
      const [before, after] = valuesIn(out, 'tick');
      expect(`${change}: ${after}`).toBe(`${change}: ${before}`);
      expect(forksIn(out)).toHaveLength(1);
    }
    expect(await gdb('monitor check')).toContain('agrees with the trace');
  });

  test('is refused where it cannot be, and then nothing has changed', { ...LONG, timeout: MINUTES }, async () => {
    expect(await gdb('set $cs = 3')).toContain('cs cannot be written');
    expect(await gdb('set $icount = 3', ...FORK)).toContain('nothing was changed');
    expect(await gdb('set {int}0xffff900000000000 = 1')).toContain('Cannot access memory');
    const out = await gdb(...seek('end'), ...FORK, 'set $rax = 1');
    expect(out).toContain('The run has ended here');
    expect(await gdb(...FORK)).toContain('nothing was changed');
  });
});
