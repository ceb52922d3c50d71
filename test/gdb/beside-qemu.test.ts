import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scratchFolder } from '../guests/command-line.ts';
import { recordRun } from '../debugger/recorded-tour.ts';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import {
  type BuiltGuest,
  buildGuest,
  gdbAt,
  gdbOn,
  guestOptions,
  NO_COMPILER,
  NO_GDB,
  NO_QEMU,
  seek,
  type Served,
  serveHere,
  serveQemu,
} from './stock-gdb.ts';

const folder = scratchFolder();
const trace = join(folder, 'guest.trace');
const MINUTES = 120_000;
/** What a script shows of where it came to. */
const PLACE = ['echo @\\n', 'output/a $pc', 'echo \\n'];
const PLACES = /^Breakpoint \d+, .*|(?<=^@\n).*/gm;

let guest: BuiltGuest;
let served: Served;
beforeAll(async () => {
  guest = buildGuest(folder);
  recordRun([...guestOptions(guest), '--trace', trace]);
  served = await serveHere(trace, folder);
}, MINUTES);
afterAll(() => served?.stop());

/** Scripts of gdb's, whose places both stubs must come to. */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  'set $pc to a breakpoint, then continue': ['break *factorial', 'set $pc = factorial', 'continue'],
  'jump to a breakpoint': ['break *factorial', 'jump *factorial'],
  'a call of a function with a breakpoint': ['break *factorial', 'print factorial(3)'],
  'set $pc to a breakpoint, then stepi': ['break *factorial', 'set $pc = factorial', 'stepi'],
  'stepi and continue where nobody wrote RIP': ['break *factorial', 'continue', 'stepi', 'continue'],
  'jump *$pc at a breakpoint': ['break *factorial', 'continue', 'jump *$pc'],
};

describe("gdb's scripts come to the same places as with QEMU's stub", without(NO_GDB, NO_COMPILER, NO_QEMU), () => {
  test.each(Object.entries(SCRIPTS))('%s', { ...LONG, timeout: MINUTES }, async (_name, script) => {
    const begin = ['hbreak sum_of_squares', 'continue', 'delete', ...PLACE];
    const commands = [...begin, ...script.flatMap((line) => [line, ...PLACE])];
    const qemu = await serveQemu(folder, guest);
    const there = await gdbAt(qemu, folder, [...commands, 'kill'], [guest.symbols]);
    qemu.stop();
    const here = await gdbOn(served, folder, [...seek('begin'), ...commands], [guest.symbols]);
    const places = (out: string): string[] => out.match(PLACES) ?? [];
    expect(places(there).length).toBeGreaterThan(script.length);
    expect(places(here)).toEqual(places(there));
  });
});

describe('a breakpoint on an INT3 of the guest', without(NO_GDB, NO_COMPILER), () => {
  // QEMU's stub does not tell software breakpoints from others, so that gdb takes its stop for one of the INT3 itself.
  test('is stepped past: gdb writes RIP + 1, waits there and continues', { ...LONG, timeout: MINUTES }, async () => {
    const begin = ['hbreak sum_of_squares', 'continue', 'delete', ...PLACE];
    const change = ['set {char}$pc = 0xcc', 'break *$pc', 'stepi', ...PLACE];
    const out = await gdbOn(served, folder, [...seek('begin'), ...begin, ...change], [guest.symbols]);
    const [at, next] = (out.match(PLACES) ?? [])
      .filter((line) => line.startsWith('0x'))
      .map((line) => parseInt(line, 16));
    expect(next).toBe((at as number) + 1);
  });
});
