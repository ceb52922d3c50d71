import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { retrovisor, scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { recordRun } from '../debugger/recorded-tour.ts';
import { without } from '../stepping-aside.ts';
import {
  type BuiltGuest,
  buildGuest,
  gdbOn,
  guestOptions,
  NO_COMPILER,
  NO_GDB,
  type Served,
  serveHere,
  valuesIn,
} from './stock-gdb.ts';

// What gdb.reverse of gdb's own tests asks of a target, by source line and through stock gdb.

const folder = scratchFolder();
const trace = join(folder, 'guest.trace');
const AT = String.raw`printf "at=%d %lx %lx\n", $icount, $rip, $rsp`;
const COUNTER = String.raw`printf "counter=%d\n", counter`;
const MINUTES = 120_000;

let guest: BuiltGuest;
let served: Served;
beforeAll(async () => {
  guest = buildGuest(folder);
  recordRun([...guestOptions(guest), '--trace', trace]);
  served = await serveHere(trace);
}, MINUTES);
afterAll(() => served?.stop());

/** What gdb prints from the beginning of the recorded run on. */
async function gdb(...commands: string[]): Promise<string> {
  const toBegin = ['monitor seek begin', 'maintenance flush register-cache', 'echo begin\\n'];
  const out = await gdbOn(served, folder, [...toBegin, ...commands], [guest.symbols]);
  return out.slice(out.indexOf('begin\n'));
}

/** Names of the lines gdb stopped at: `at NAME` in the guest's source. */
const placesIn = (out: string): string[] =>
  [...out.matchAll(/^\d+\t.*\/\* at ([\w ]+) \*\//gm)].map(([, name]) => name as string);

/** Stop at a line by a breakpoint of its own. */
const go = (name: string): string[] => [`tbreak main.c:${guest.line(name)}`, 'continue'];

describe('stock gdb, by the lines of a guest', without(NO_GDB, NO_COMPILER), () => {
  test(
    'steps into and out of functions, and back the same way',
    async () => {
      const out = await gdb(...go('main begins'), 'step', 'step', 'step', 'step', 'reverse-step', 'reverse-step');
      expect(placesIn(out).slice(0, 3)).toEqual(['main begins', 'square', 'square returns']);
      expect(placesIn(out)).toContain('main sums');
      const more = await gdb(...go('main sums'), AT, 'step', AT, 'reverse-step', AT, 'step', AT);
      const [call, inside, back, again] = valuesIn(more, 'at');
      expect([back, again]).toEqual([call, inside]);
      expect(more).toContain('sum_of_squares (last=5)');
    },
    MINUTES,
  );

  test(
    'goes over calls with next, and back over them with reverse-next',
    async () => {
      const forth = ['next', AT, 'next', AT, 'next', AT];
      const back = ['reverse-next', AT, 'reverse-next', AT, 'reverse-next', AT];
      const out = await gdb(...go('main begins'), AT, ...forth, ...back);
      const seen = valuesIn(out, 'at');
      expect(seen).toHaveLength(7);
      expect(seen.slice(4)).toEqual(seen.slice(0, 3).reverse());
      expect(placesIn(out)).toEqual([
        ...['main begins', 'main sums', 'main multiplies', 'main moves'],
        ...['main multiplies', 'main sums', 'main begins'],
      ]);
    },
    MINUTES,
  );

  test(
    'finishes a function with its value, and with reverse-finish comes to its call',
    async () => {
      const out = await gdb(...go('square'), 'up', AT, 'down', 'finish', 'reverse-step', 'reverse-finish', AT);
      expect(out).toContain('Value returned is $1 = 9');
      expect(out).toMatch(/reverse|main \(\) at .*main\.c/);
      expect(placesIn(out).at(-1)).toBe('main begins');
      const call = await gdb(...go('square returns'), 'reverse-finish', 'x/i $pc', AT, 'stepi', 'bt 1');
      expect(call).toMatch(/=> 0x[0-9a-f]+ <main\+\d+>:\tcall +0x[0-9a-f]+ <square>/);
      expect(call).toMatch(/#0 .*square \(n=/);
    },
    MINUTES,
  );

  test('goes on until a line, in both directions', { ...LONG, timeout: MINUTES }, async () => {
    const until = ['until', 'until', `advance main.c:${guest.line('count ends')}`, COUNTER];
    const back = [`tbreak main.c:${guest.line('count same')}`, 'reverse-continue', COUNTER];
    const out = await gdb(...go('count 1'), ...until, ...back);
    expect(valuesIn(out, 'counter')).toEqual(['11', '7']);
    expect(placesIn(out)).toEqual(['count 1', 'count ends', 'count same']);
    const loop = await gdb(...go('busy adds'), 'next', AT, 'until', 'until', 'print i');
    expect(placesIn(loop).at(-1)).toBe('busy ends');
  });

  test(
    'meets breakpoints in the same places backwards, temporary ones once',
    async () => {
      const names = ['main sums', 'sum returns', 'main multiplies', 'count 1', 'copied'];
      const breaks = names.map((name) => `break main.c:${guest.line(name)}`);
      const forth = names.flatMap(() => ['continue', AT]);
      const back = names.slice(1).flatMap(() => ['reverse-continue', AT]);
      const out = await gdb(...breaks, 'tbreak factorial', ...forth, 'continue', AT, ...back, 'info breakpoints');
      const seen = valuesIn(out, 'at');
      expect(out.match(/^Temporary breakpoint \d+, factorial/gm)).toHaveLength(1);
      const lasting = seen.filter((_, at) => at !== 3);
      expect(lasting.slice(5)).toEqual(lasting.slice(0, 4).reverse());
      expect(
        placesIn(out)
          .filter((name) => name !== 'factorial')
          .slice(0, 5),
      ).toEqual(names);
    },
    MINUTES,
  );

  test(
    'asks conditions with names of variables in the stub',
    async () => {
      const out = await gdb(
        `break main.c:${guest.line('sum adds')} if i == 4 && sum > 10`,
        'continue',
        'print i',
        'print sum',
        'info breakpoints',
        'continue',
        'reverse-continue',
        'print i',
      );
      expect(out).toContain('(target evals)');
      expect(out).toContain('$1 = 4');
      expect(out).toContain('$2 = 14');
      expect(out).toContain('$3 = 4');
      expect(out.match(/already hit (\d+) time/)?.[1]).toBe('1');
    },
    MINUTES,
  );

  test.each(['watch', 'rwatch', 'awatch'])(
    'stops at a global with %s in both directions, where the value changes',
    async (kind) => {
      const stops = [`${kind} counter`, ...Array(4).fill(['continue', COUNTER]).flat()];
      const back = Array(3).fill(['reverse-continue', COUNTER]).flat() as string[];
      const out = await gdb(...go('count 1'), ...stops, ...back);
      const expected = {
        watch: ['1', '2', '7', '11', '7', '2', '1'],
        rwatch: ['2', '2', '2', '2', '2', '2', '2'],
        awatch: ['1', '2', '2', '7', '2', '2', '1'],
      };
      if (kind === 'rwatch') expect(out).toContain('Hardware read watchpoint');
      else expect(valuesIn(out, 'counter')).toEqual(expected[kind as 'watch' | 'awatch']);
    },
    MINUTES,
  );

  test(
    'watches a local until its frame is left, and by single steps without watchpoints of the target',
    async () => {
      const values = (out: string): string[] =>
        [...out.matchAll(/^New value = (\d+)$/gm)].map(([, value]) => value as string);
      const forth = Array(6).fill('continue') as string[];
      const local = await gdb(...go('sum begins'), 'next', 'watch sum', ...forth);
      expect(values(local)).toEqual(['1', '5', '14', '30', '55']);
      expect(local).toContain('has left the block in');
      const back = await gdb(...go('sum returns'), 'watch sum', ...(Array(5).fill('reverse-continue') as string[]));
      expect(values(back)).toEqual(['30', '14', '5', '1', '0']);
      const soft = ['set can-use-hw-watchpoints 0', 'watch counter', 'continue', 'continue', 'continue'];
      const out = await gdb(...go('count 1'), ...soft, 'reverse-continue', 'reverse-continue');
      expect(values(out)).toEqual(['1', '2', '7', '2', '1']);
    },
    MINUTES,
  );

  test(
    'meets breakpoints on consecutive instructions, each once in each direction',
    async () => {
      const three = ['break *$pc', 'stepi', 'break *$pc', 'stepi', 'break *$pc'];
      const forth = ['continue', AT, 'continue', AT, 'continue', AT];
      const back = ['reverse-continue', AT, 'reverse-continue', AT];
      const out = await gdb(...go('square'), ...three, ...forth, ...back);
      const [first, second, third, ...again] = valuesIn(out, 'at');
      expect(again).toEqual([second, first]);
      expect(Number(third?.split(' ')[0])).toBe(Number(first?.split(' ')[0]) + 2);
    },
    MINUTES,
  );

  test(
    'sees globals, statics, locals and registers as they were at each place',
    async () => {
      const state = String.raw`printf "state=%d %d %d %d\n", counter, corner.x, corner.y, squares[5]`;
      const here = (name: string): string[] => [...go(name), state];
      const back = (name: string): string[] => [`tbreak main.c:${guest.line(name)}`, 'reverse-continue', state];
      const out = await gdb(
        ...here('main begins'),
        ...here('main multiplies'),
        ...here('main counts'),
        ...here('main copies'),
        ...back('main counts'),
        ...back('main multiplies'),
        ...back('main begins'),
      );
      const [begins, multiplies, counts, copies, ...again] = valuesIn(out, 'state');
      expect([begins, multiplies, counts, copies]).toEqual(['0 1 2 0', '0 1 2 25', '0 64 120 25', '11 64 120 25']);
      expect(again).toEqual([counts, multiplies, begins]);
      const changed = await gdb(
        ...go('square'),
        'print result',
        'next',
        'print result',
        'reverse-next',
        'print result',
      );
      const [before, after, restored] = [...changed.matchAll(/^\$\d = (-?\d+)$/gm)].map(([, value]) => value);
      expect(after).toBe('9');
      expect(restored).toBe(before);
    },
    MINUTES,
  );

  test(
    'keeps the frames of a recursion apart in both directions',
    async () => {
      const out = await gdb(
        'break factorial if n == 1',
        'continue',
        'bt',
        'delete',
        'finish',
        'finish',
        'up',
        'info locals',
      );
      const frames = [...out.matchAll(/^#(\d) .*factorial \(n=(\d)\)/gm)].map(([, frame, n]) => `${frame}: ${n}`);
      expect(frames.slice(0, 5)).toEqual(['0: 1', '1: 2', '2: 3', '3: 4', '4: 5']);
      expect(out).toContain('Value returned is $1 = 1');
      expect(out).toContain('Value returned is $2 = 2');
      const next = ['reverse-next', 'reverse-finish', 'bt', 'step', 'bt 1'];
      const back = await gdb(...go('main moves'), 'reverse-step', AT, ...next);
      expect(back).toMatch(/factorial \(n=5\)/);
      const over = await gdb(...go('recursion'), AT, 'next', AT, 'reverse-next', AT);
      const [before, after, again] = valuesIn(over, 'at');
      expect(again).toBe(before);
      expect(after?.split(' ')[2]).toBe(before?.split(' ')[2]);
    },
    MINUTES,
  );

  test(
    'takes a repeated instruction by iterations, and meets a breakpoint on it once, however it is cut',
    async () => {
      const RCX = String.raw`printf "rcx=%d\n", $rcx`;
      const steps = [
        'tbreak *repeat',
        'continue',
        RCX,
        'stepi',
        RCX,
        'stepi 5',
        RCX,
        'reverse-stepi 4',
        RCX,
        'print copied',
      ];
      const out = await gdb(...steps, 'stepi 100', 'reverse-stepi 100', RCX);
      expect(valuesIn(out, 'rcx')).toEqual(['64', '63', '58', '62', '62']);
      expect(out).toContain(String.raw`"th", '\000' <repeats 61 times>`);
      const cut = await gdb('break *fill if $rcx != 0x4000', 'continue', 'reverse-continue');
      expect(cut).not.toContain('Breakpoint 1, ');
      const back = await gdb(...go('filled'), 'break *fill', 'reverse-continue', RCX, 'reverse-continue', AT);
      expect(valuesIn(back, 'rcx')).toEqual([String(0x4000)]);
      expect(valuesIn(back, 'at')[0]).toMatch(/^0 /);
    },
    MINUTES,
  );

  test('steps by lines while interrupts arrive, and through them by instructions', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const TIMER = String.raw`printf "timer=%d\n", timer_count`;
    const through = ['tbreak on_timer', 'continue', 'bt', AT, TIMER, 'reverse-stepi', AT, 'bt 1', 'stepi', AT];
    const out = await gdb(...through, 'stepi 5', 'bt 1', 'stepi', 'bt 1', TIMER, 'reverse-stepi 7', AT);
    const [handler, interrupted, again, back] = valuesIn(out, 'at');
    expect(again).toBe(handler);
    expect(interrupted).not.toBe(handler);
    expect(back).toBe(interrupted);
    expect(out).toMatch(/#0 +on_timer \(\) at [^\n]*\n#1 .* in busy \(rounds=20000\)/);
    expect(valuesIn(out, 'timer')).toEqual(['0', '1']);
    const lines = await gdb(...go('busy'), 'next 2001', 'print i', 'reverse-next 1000', 'print i', TIMER, 'bt 1');
    const [after, before] = [...lines.matchAll(/^\$\d = (\d+)$/gm)].map(([, i]) => Number(i));
    expect(after).toBe(999);
    expect(Math.abs((before as number) - 499)).toBeLessThanOrEqual(1);
    expect(lines).toMatch(/#0 +busy \(rounds=20000\)/);
  });

  test("calls the guest's functions in a fork, which the recorded run does not see", {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const call = ['print square(7)', 'print factorial(4)', 'print corner.x', 'monitor fork', 'bt'];
    const out = await gdb(
      ...go('count 1'),
      ...call,
      'next',
      COUNTER,
      'reverse-next',
      COUNTER,
      'print count()',
      COUNTER,
    );
    expect(out).toContain('$1 = 49');
    expect(out).toContain('$2 = 24');
    expect(out).toContain('$3 = 64');
    expect(out).toMatch(/A fork since instruction \d+/);
    expect(out).toMatch(/#0 +count \(\) .*\n#1 .* in main \(\)/);
    expect(valuesIn(out, 'counter')).toEqual(['1', '0', '11']);
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
  });
});
