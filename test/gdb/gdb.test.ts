import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printed, scratchFolder } from '../guests/command-line.ts';
import { printInfo } from '../../src/cli/trace-commands.ts';
import { firstOf, LONG } from '../how-long.ts';
import { recordRun } from '../debugger/recorded-tour.ts';
import { without } from '../stepping-aside.ts';
import { gdbOn, NO_GDB, seek, type Served, serveHere, valuesIn } from './stock-gdb.ts';

const folder = scratchFolder();
const trace = join(folder, 'tour.trace');
const trace2 = join(folder, 'tour2.trace');
const WHERE = String.raw`printf "at=%d %lx %lx %lx %lx %x %lx\n", $icount, $rip, $rax, $rcx, $rsp, $eflags, $cr3`;
const TICK = String.raw`printf "tick=%d\n", $icount`;
const PC = String.raw`printf "pc=%lx\n", $rip`;
const MINUTES = 120_000;

let served: Served;
let end = 0;
beforeAll(async () => {
  recordRun(['--trace', trace]);
  recordRun(['-smp', '2', '--trace', trace2]);
  end = Number(/ends at event \d+, tick (\d+)/.exec(await printed((print) => printInfo(trace, print)))?.[1]);
  served = await serveHere(trace);
}, MINUTES);
afterAll(() => served?.stop());

const gdb = (...commands: string[]): Promise<string> => gdbOn(served, folder, [...seek('begin'), ...commands]);

/** A walk of single steps, as `stepi` and `reverse-stepi`: the position after each is known. */
function walk(length: number, seed: number): { commands: string[]; places: number[] } {
  const commands: string[] = [];
  const places: number[] = [];
  let place = 0;
  let state = seed;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    const isBack = place > 0 && (state >> 16) % 2 === 0;
    place += isBack ? -1 : 1;
    commands.push(isBack ? 'reverse-stepi' : 'stepi', WHERE);
    places.push(place);
  }
  return { commands, places };
}

describe('stock gdb on a recorded run', without(NO_GDB), () => {
  test.each(firstOf(1, [0.3, 0.001, 0.99]))(
    'meets equal registers whichever way it steps to an instruction, at %d of the run',
    async (share) => {
      const { commands, places } = walk(150, Math.round(1000 * share));
      const out = await gdb(...seek(String(Math.floor(end * share))), WHERE, ...commands);
      const [first, ...seen] = valuesIn(out, 'at');
      expect(seen).toHaveLength(places.length);
      const known = new Map([[0, first]]);
      for (const [at, place] of places.entries()) {
        expect(known.get(place) ?? seen[at]).toBe(seen[at]);
        known.set(place, seen[at]);
      }
      expect(known.size).toBeGreaterThan(5);
    },
    MINUTES,
  );

  test(
    'comes back through the breakpoints it met',
    async () => {
      const meet = ['continue', TICK, PC];
      const back = ['reverse-continue', TICK, PC];
      const out = await gdb(...seek('50%'), 'break *$rip', ...meet, ...meet, ...meet, ...back, ...back);
      const ticks = valuesIn(out, 'tick').map(Number);
      expect(ticks).toHaveLength(5);
      expect(ticks[0]).toBeLessThan(ticks[1] as number);
      expect([ticks[3], ticks[4]]).toEqual([ticks[1], ticks[0]]);
      expect(new Set(valuesIn(out, 'pc')).size).toBe(1);
    },
    MINUTES,
  );

  test(
    'stops at a condition the stub evaluates',
    async () => {
      const out = await gdb(
        ...seek('50%'),
        `break *$rip if $icount > ${Math.floor(end * 0.5) + 1000}`,
        'continue',
        TICK,
      );
      expect(Number(valuesIn(out, 'tick')[0])).toBeGreaterThan(end * 0.5 + 1000);
      expect(await gdb(...seek('50%'), 'break *$rip if $icount > 0', 'continue', 'info breakpoints')).toContain(
        'target evals',
      );
    },
    MINUTES,
  );

  test(
    'finds a write forwards after it and backwards before it',
    async () => {
      const slot = ['set $slot = $rsp - 8', 'eval "watch *(long*)0x%lx", $slot'];
      const shown = String.raw`printf "slot=%lx\n", *(long*)$slot`;
      const forth = ['continue', TICK, shown];
      const back = ['reverse-continue', TICK, shown, PC];
      const out = await gdb(...seek('40%'), ...slot, ...forth, ...forth, ...back, ...back);
      const ticks = valuesIn(out, 'tick').map(Number);
      const slots = valuesIn(out, 'slot');
      expect(ticks).toHaveLength(4);
      expect([ticks[2], ticks[3]]).toEqual([(ticks[1] as number) - 1, (ticks[0] as number) - 1]);
      expect(slots[2]).toBe(slots[0]);
      expect(slots[1]).not.toBe(slots[0]);
      expect(out).toMatch(/Hardware watchpoint \d+: \*\(long\*\)/);
    },
    MINUTES,
  );

  test(
    'sees a read with rwatch and any access with awatch',
    async () => {
      for (const kind of ['rwatch', 'awatch']) {
        const out = await gdb(
          ...seek('40%'),
          'set $slot = $rsp',
          `eval "${kind} *(long*)0x%lx", $slot`,
          'continue',
          TICK,
        );
        expect(out).toContain(kind === 'rwatch' ? 'Hardware read watchpoint' : 'Hardware access');
        expect(Number(valuesIn(out, 'tick')[0])).toBeGreaterThan(end * 0.4);
      }
    },
    MINUTES,
  );

  test(
    'steps over a call, and comes back to it by a breakpoint',
    async () => {
      // A call is what next writes below the stack pointer.
      const toCall = [
        'set $slot = $rsp - 8',
        'eval "watch *(long*)0x%lx", $slot',
        'continue',
        'delete',
        'reverse-stepi',
      ];
      const back = ['break *$called', 'reverse-continue', WHERE];
      const out = await gdb(...seek('40%'), ...toCall, 'set $called = $rip', WHERE, 'nexti', WHERE, ...back);
      const [before, after, again] = valuesIn(out, 'at');
      expect(again).toBe(before);
      const [tick, rip] = (before as string).split(' ');
      expect(Number(after?.split(' ')[0])).toBeGreaterThan(Number(tick) + 1);
      expect(Number.parseInt(after?.split(' ')[1] as string, 16)).toBe(Number.parseInt(rip as string, 16) + 5);
    },
    MINUTES,
  );

  test(
    'is told where the history begins and ends',
    async () => {
      const out = await gdb(
        'reverse-stepi',
        'reverse-continue',
        'continue',
        TICK,
        'stepi',
        'reverse-stepi',
        'monitor check',
      );
      expect(out.match(/No more reverse-execution history/g)).toHaveLength(4);
      expect(out).not.toContain('SIGTRAP');
      expect(valuesIn(out, 'tick')).toEqual([String(end)]);
      expect(out).toContain('agrees with the trace');
    },
    MINUTES,
  );

  test(
    'is told that there is no memory where nothing is mapped',
    async () => {
      expect(await gdb(...seek('50%'), 'x/gx 0xffff900000000000')).toContain('Cannot access memory');
    },
    MINUTES,
  );

  test(
    'is answered by the monitor, mistakes too',
    async () => {
      const asked = [
        'when',
        'seek 101%',
        'seek nowhere',
        'seek e99999999',
        'events 3',
        'last-write 1 x',
        'frobnicate',
        'help',
      ];
      const out = await gdb(...asked.map((line) => `monitor ${line}`));
      expect(out).toMatch(/event \d+, instruction 0 of/);
      expect(out).toContain('The run has 100 %');
      expect(out).toContain("'nowhere' is no place");
      expect(out).toContain('there is no event 99999999');
      expect(out).toContain('Give an address and a length');
      expect(out).toContain("Unknown command 'frobnicate'");
      expect(out).toContain('last-write ADDRESS');
    },
    MINUTES,
  );

  test(
    "reads and changes physical memory by QEMU's packet, and answers QEMU's monitor commands",
    async () => {
      const mode = (on: number): string => `maintenance packet Qqemu.PhyMemMode:${on}`;
      const shown = String.raw`printf "x=%lx\n", *(long*)0x102920`;
      const physical = [mode(1), 'maintenance flush register-cache', shown, 'x/gx 0xffffffffff000', mode(0)];
      const out = await gdb(
        ...seek('50%'),
        shown,
        'monitor info registers',
        'monitor info lapic',
        ...physical.slice(0, 3),
      );
      expect(valuesIn(out, 'x')[1]).toBe(valuesIn(out, 'x')[0]);
      expect(out).toMatch(/^RAX=[0-9a-f]{16}/m);
      expect(out).toContain('dumping local APIC state');
      expect(await gdb(...physical)).toContain('Cannot access memory');
      const set = [mode(1), 'set *(long*)0x110000 = 77', 'print *(long*)0x110000', 'monitor fork'];
      expect(await gdb(...seek('50%'), ...set)).toContain('Changed: mem:0x110000=4d00000000000000');
    },
    MINUTES,
  );

  test(
    "asks the prompt's questions from where it stands, and goes on standing there",
    async () => {
      const asked = [
        'why 0x10ff48',
        'translate 0x100000',
        'disas',
        'vmcs',
        'lapic',
        'diff +100',
        'symbols x.sym',
        'why x',
      ];
      const questions = asked.map((line) => `monitor ${line}`);
      const out = await gdb(
        ...seek('40%'),
        WHERE,
        ...questions,
        'maintenance flush register-cache',
        WHERE,
        'stepi',
        TICK,
      );
      expect(out).toMatch(/^at tick \d+ by vcpu0: 0x[0-9a-f]+/m);
      expect(out).toMatch(/host-physical 0x[0-9a-f]+/);
      expect(out).toMatch(/^=> 0x[0-9a-f]+: /m);
      expect(out).toContain('GUEST_RIP');
      expect(out).toContain('dumping local APIC state for CPU 0');
      expect(out).toMatch(/\d+ fields and \d+ pages of guest memory differ/);
      expect(out).toContain('--allow-write');
      expect(out).toContain('No symbol is named x');
      const [before, after] = valuesIn(out, 'at');
      expect(after).toBe(before);
      expect(Number(valuesIn(out, 'tick')[0])).toBe(Number(before?.split(' ')[0]) + 1);
    },
    MINUTES,
  );

  test(
    'shows two processors as two threads and steps the one it is asked to',
    async () => {
      const two = await serveHere(trace2);
      const step = ['thread 2', 'stepi', WHERE, 'stepi', WHERE, 'reverse-stepi', WHERE, 'info threads'];
      const out = await gdbOn(two, folder, [...seek('60%'), 'info threads', ...step]);
      two.stop();
      expect(out).toContain('CPU#1');
      expect(out).not.toContain('SIGTRAP');
      const [first, , back] = valuesIn(out, 'at');
      expect(back).toBe(first);
      expect(out).toMatch(/\* 2 {4}Thread 2/);
    },
    MINUTES,
  );
});

describe('stock gdb on two processors', without(NO_GDB), () => {
  const three = ['stepi', WHERE, 'stepi', WHERE, 'stepi', WHERE];
  const back = ['reverse-stepi', WHERE, 'reverse-stepi', WHERE, 'reverse-stepi', WHERE];

  test.each(firstOf(1, ['off', 'on', 'step', 'replay']))(
    'steps each of them there and back with scheduler-locking %s',
    { ...LONG, timeout: MINUTES },
    async (locking) => {
      const two = await serveHere(trace2);
      const each = [1, 2].flatMap((thread) => [`thread ${thread}`, WHERE, ...three, ...back]);
      const out = await gdbOn(two, folder, [...seek('60%'), `set scheduler-locking ${locking}`, ...each]);
      two.stop();
      expect(out).not.toContain('SIGTRAP');
      const places = valuesIn(out, 'at').map((at) => at.split(' ').slice(1).join(' '));
      expect(places).toHaveLength(14);
      for (const seen of [places.slice(0, 7), places.slice(7)]) {
        // The first is where this processor waited for its turn, or to be started.
        expect(seen.slice(4, 6)).toEqual([seen[2], seen[1]]);
      }
    },
  );

  test('tells which of them met a breakpoint, and stops for the one that was meant', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const two = await serveHere(trace2);
    const other = ['thread 2', 'stepi', 'set $place = $rip', 'eval "break *0x%lx thread 2", $place'];
    const run = ['thread 1', 'continue', 'thread', 'reverse-continue', 'thread', 'info threads'];
    const out = await gdbOn(two, folder, [...seek('60%'), ...other, ...run]);
    two.stop();
    expect(out).not.toContain('SIGTRAP');
    expect(out).toMatch(/Current thread is 2|No more reverse-execution history/);
  });
});
