import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { answerPrompt } from '../../src/debugger/prompt/prompt.ts';
import { debugTour } from '../debugger/recorded-tour.ts';
import { retrovisor, scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { gdbAt, NO_GDB, runLive, type ServedProcess } from './stock-gdb.ts';

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);
const MINUTES = 120_000;
const NAMES = ['one', 'two', 'three'] as const;
const [FIRST, ...OTHERS] = NAMES;

/** Three machines in a triangle that send each other numbered frames: `test/guests/fabric/bare.c`. */
function triangle(): string {
  const common = {
    ...{ kernel: join(import.meta.dirname, '../guests/fabric/bare.elf'), m: 16, nodefaults: true, serial: 'stdio' },
    ...{ 'no-reboot': true, netdev: ['frames,id=n0', 'frames,id=n1'], device: ['e1000,netdev=n0', 'e1000,netdev=n1'] },
  };
  const between = [
    ['one:n0', 'two:n0'],
    ['one:n1', 'three:n0'],
    ['two:n1', 'three:n1'],
  ];
  // Unlike enough that no two of them are at the same place in one moment.
  const machines = { one: {}, two: { cost: 'exit=613' }, three: { cost: 'exit=629' } };
  const cables = between.map((ends) => ({ between: ends, jitter: '1ms', loss: 0.1 }));
  writeFileSync(file('three.json'), JSON.stringify({ common, machines, cables }));
  return file('three.json');
}

/** Where the guest sends a frame: `nm bare.elf`. */
const SEND = '0x10049e';
const WHEN = 'monitor when';
const STOPS = 30;

const ALONE = file('alone.trace');
const options = (trace: string): string[] => ['--machine', triangle(), '--trace', trace, '--wall-clock', '17'];

beforeAll(() => {
  expect(retrovisor(['run', ...options(ALONE)]).status).toBe(0);
}, MINUTES);

const ended = ({ process }: ServedProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (process.exitCode !== null) resolve(process.exitCode);
    else process.on('exit', resolve);
  });

/** Where a machine stood each time it was asked. */
const momentsIn = (out: string): { tick: number; ns: number }[] =>
  [...out.matchAll(/event \d+, instruction (\d+) of .*?, (\d+) ns/g)].map(([, tick, ns]) => ({
    ...{ tick: Number(tick), ns: Number(ns) },
  }));

/** When a recorded machine sends a frame: the first few times. */
function sends(name: string): number[] {
  const session = debugTour(`${ALONE}:${name}`);
  answerPrompt(session, `break ${SEND}`);
  return Array.from({ length: STOPS }, () => {
    answerPrompt(session, 'continue');
    return session.run.timeline.machine.now();
  });
}

const attachTo = (at: number): string[] => ['add-inferior', `inferior ${at + 2}`, `attach ${at + 2}`, 'stepi'];
/** gdb 13 does not tell of a first stop in an inferior that has not gone itself: each takes a step. */
const ALL = ['set schedule-multiple on', ...OTHERS.flatMap((_name, at) => attachTo(at)), 'inferior 1', 'stepi'];
const BREAKS = [...NAMES.flatMap((_name, at) => [`inferior ${at + 1}`, `break *${SEND}`]), 'inferior 1'];

describe('stock gdb on three machines under way', { ...LONG, ...without(NO_GDB) }, () => {
  const gdb = ({ port }: ServedProcess, ...commands: string[]): Promise<string> =>
    gdbAt({ target: `127.0.0.1:${port}`, isExtended: true }, folder, commands);

  /** The run is the one it would have been. */
  function isAsAlone(trace: string): void {
    for (const name of NAMES) {
      expect(retrovisor(['diff', `${ALONE}:${name}`, `${trace}:${name}`]).out).toContain('the runs do not differ');
    }
    expect(retrovisor(['verify', trace])).toMatchObject({
      ...{ status: 0, out: expect.stringMatching(/equal {2}[1-9]\d* frames between[\s\S]*3 of 3 traces equal/) },
    });
  }

  test('stops all of them where the first meets a breakpoint, by their one clock', { timeout: MINUTES }, async () => {
    const trace = file('stopped.trace');
    const served = await runLive(...options(trace), '-S');
    const forth = Array<string[]>(STOPS).fill(['continue', WHEN]).flat();
    const back = Array<string[]>(4).fill(['reverse-continue', WHEN]).flat();
    const others = ['echo others\\n', ...NAMES.flatMap((_name, at) => [`inferior ${at + 1}`, WHEN])];
    const out = await gdb(served, ...ALL, ...BREAKS, 'echo go\\n', ...forth, ...back, ...others, 'echo end\\n');
    expect(await ended(served)).toBe(0);
    const [gone = '', there = ''] = out.slice(out.indexOf('\ngo\n')).split('\nothers\n');
    const met = [...gone.matchAll(/^Thread ([\d.]+) .*hit .*Breakpoint/gm)].map((match) => match[1]!.split('.')[0]);
    const alone = NAMES.flatMap((name, at) => sends(name).map((ns) => ({ ns, machine: `${at + 1}` })));
    const expected = alone.sort((left, right) => left.ns - right.ns).slice(0, STOPS);
    const all = [...expected, ...expected.toReversed().slice(1, 5)];
    expect(momentsIn(gone).map(({ ns }) => ns)).toEqual(all.map(({ ns }) => ns));
    expect(met).toEqual(all.map(({ machine }) => machine));
    // Wherever one has gone, the others stand at that moment.
    const times = momentsIn(there).map(({ ns }) => ns);
    expect(times).toHaveLength(NAMES.length);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(5000);
    isAsAlone(trace);
  });

  test('steps one, lets it go on alone before its eyes, and is there when it is over', {
    timeout: MINUTES,
  }, async () => {
    const trace = file('stepped.trace');
    const served = await runLive(...options(trace), '-S');
    const steps = [...Array<string>(30).fill('stepi'), ...Array<string>(10).fill('reverse-stepi'), WHEN];
    const alone = [`break *${SEND}`, ...Array<string[]>(6).fill(['continue', WHEN]).flat(), ...steps];
    const out = await gdb(served, ...alone, 'delete', 'continue', WHEN, 'reverse-stepi 3', WHEN, 'echo end\\n');
    expect(await ended(served)).toBe(0);
    const moments = momentsIn(out);
    expect(moments.slice(0, 6).map(({ ns }) => ns)).toEqual(sends(FIRST).slice(0, 6));
    expect(moments[6]!.tick).toBe(moments[5]!.tick + 20);
    expect(moments[8]!.tick).toBe(moments[7]!.tick - 2);
    isAsAlone(trace);
  });

  test('ends the run by kill, which is whole', { timeout: MINUTES }, async () => {
    const trace = file('killed.trace');
    const served = await runLive(...options(trace));
    await gdb(served, 'stepi', 'kill');
    expect(await ended(served)).toBe(0);
    expect(retrovisor(['verify', trace]).status).toBe(0);
  });
});
