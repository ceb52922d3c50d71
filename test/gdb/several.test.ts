import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answerPrompt } from '../../src/debugger/prompt/prompt.ts';
import { debugTour, recordTour, timesOf } from '../debugger/recorded-tour.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { joined } from '../runs/fabric/recorded-pair.ts';
import { without } from '../stepping-aside.ts';
import { gdbAt, NO_GDB, seek, type Served, serveMachinesHere, valuesIn } from './stock-gdb.ts';

const folder = scratchFolder();
const [ONE, TWO] = [join(folder, 'one.trace'), join(folder, 'two.trace')];
const MINUTES = 120_000;
/** Instructions of a run under way, one of two processors. */
const [OF_ONE, OF_TWO] = [200_000, 260_000];

const PC = String.raw`printf "pc=%lx\n", $rip`;
const WHEN = 'monitor when';
const ATTACH = ['add-inferior', 'inferior 2', 'attach 2'];

let served: Served;
beforeAll(async () => {
  recordTour(ONE, [], OF_ONE);
  recordTour(TWO, ['-smp', '2', '--seed', '2'], OF_TWO);
  const both = joined(join(folder, 'both.trace'), { one: readFileSync(ONE), two: readFileSync(TWO) });
  served = await serveMachinesHere(both);
}, MINUTES);
afterAll(() => served?.stop());

const gdb = (...commands: string[]): Promise<string> =>
  gdbAt({ target: `127.0.0.1:${served.port}`, isExtended: true }, folder, [...seek('begin'), ...commands]);

/** Where a machine stood each time it was asked: `monitor when`. */
const momentsIn = (out: string): { events: number; tick: number; ns: number }[] =>
  [...out.matchAll(/event (\d+), instruction (\d+) of .*?, (\d+) ns/g)].map((match) => {
    const [events = 0, tick = 0, ns = 0] = match.slice(1).map(Number);
    return { events, tick, ns };
  });

/** When a machine is at an address, going alone: the first few times. */
function visits(trace: string, address: string, count: number): number[] {
  const session = debugTour(trace);
  answerPrompt(session, `break 0x${address}`);
  return Array.from({ length: count }, () => {
    answerPrompt(session, 'continue');
    return session.run.timeline.machine.now();
  });
}

describe('stock gdb on two machines of one recording', { ...LONG, ...without(NO_GDB) }, () => {
  test('has each as an inferior, at the moment of the clock of all', async () => {
    const out = await gdb(...seek('90000'), ...ATTACH, 'info threads', WHEN, 'inferior 1', WHEN, 'info inferiors');
    expect(out).toMatch(/1\.1 +Thread 1\.1 \(one CPU#0\)/);
    expect(out).toMatch(/2\.2 +Thread 2\.2 \(two CPU#1/);
    expect(out).toMatch(/process 1 .*\n.*process 2 /);
    const [two, one] = momentsIn(out).slice(-2);
    expect(one!.tick).toBe(90_000);
    const times = timesOf(debugTour(TWO));
    expect(times[two!.events - 1]).toBeLessThanOrEqual(one!.ns);
    expect(times[two!.events]).toBeGreaterThan(one!.ns);
    expect(two!.ns).toBeLessThanOrEqual(one!.ns);
  });

  test('steps one back and forth, and the other is where the clock says', async () => {
    const steps = [...Array(40).fill('stepi'), ...Array(25).fill('reverse-stepi')] as string[];
    const out = await gdb(...seek('90000'), ...ATTACH, 'inferior 1', ...steps, WHEN, 'inferior 2', WHEN);
    const [one, two] = momentsIn(out).slice(-2);
    expect(one!.tick).toBe(90_015);
    expect(two!.ns).toBeLessThanOrEqual(one!.ns);
    const times = timesOf(debugTour(TWO));
    expect(times[two!.events]).toBeGreaterThan(one!.ns);
  });

  test('lets both run to the breakpoints of either, in the order of their one clock, and back', async () => {
    const [place] = valuesIn(await gdb(...seek('150000'), PC), 'pc') as [string];
    const meet = (way: string, times: number): string[] => Array<string[]>(times).fill([way, WHEN]).flat();
    // gdb 13 does not tell of a first stop in an inferior that has not gone itself: each takes a step.
    const ready = ['set schedule-multiple on', ...ATTACH, 'stepi', 'inferior 1', 'stepi', ...seek('begin')];
    const breaks = [`break *0x${place}`, 'inferior 2', `break *0x${place}`, 'inferior 1'];
    const out = await gdb(...ready, ...breaks, 'echo go\\n', ...meet('continue', 30), ...meet('reverse-continue', 5));
    const gone = out.slice(out.indexOf('\ngo\n'));
    const met = [...gone.matchAll(/^Thread ([\d.]+) .*hit .*Breakpoint/gm)].map((match) => match[1]!.split('.')[0]);
    const alone = [
      ...visits(ONE, place, 30).map((ns) => ({ ns, machine: '1' })),
      ...visits(TWO, place, 30).map((ns) => ({ ns, machine: '2' })),
    ];
    const expected = alone.sort((left, right) => left.ns - right.ns).slice(0, 30);
    const both = [...expected, ...expected.toReversed().slice(1, 6)];
    expect(new Set(expected.map(({ machine }) => machine)).size).toBe(2);
    expect(momentsIn(gone).map(({ ns }) => ns)).toEqual(both.map(({ ns }) => ns));
    expect(met).toEqual(both.map(({ machine }) => machine));
  });

  test('may leave one, and stays with the other', async () => {
    const out = await gdb(...ATTACH, 'detach', 'inferior 1', 'stepi', WHEN, 'info threads');
    expect(momentsIn(out).at(-1)!.tick).toBe(1);
    expect(out).not.toContain('Thread 2.1 (');
    const plain = await gdbAt({ target: `127.0.0.1:${served.port}` }, folder, ['stepi', WHEN]);
    expect(momentsIn(plain).at(-1)!.tick).toBeGreaterThan(0);
  });

  test('is told what there is not', async () => {
    expect(await gdb('add-inferior', 'inferior 2', 'attach 3')).toMatch(/Attaching to process 3 failed/);
  });
});
