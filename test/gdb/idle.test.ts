import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { finish } from '../../src/base/work.ts';
import { answerPrompt } from '../../src/debugger/prompt/prompt.ts';
import { findNext, findPrevious } from '../../src/debugger/stops/stop-search.ts';
import { parseWatch } from '../../src/debugger/stops/stops.ts';
import { wordsIn } from '../../src/debugger/stops/stop-words.ts';
import { readSymbols } from '../../src/debugger/symbols/symbols.ts';
import { openDebugSession } from '../../src/debugger/session.ts';
import type { Arrived, Journey, StopsWanted } from '../../src/debugger/travel/travel.ts';
import { subjectOf } from '../../src/gdb/subject.ts';
import { NODE } from '../../src/host/node.ts';
import { runOptions } from '../../src/options/run-arguments.ts';
import { openRecordedRun, openTimeline } from '../../src/runs/recorded/recorded-run.ts';
import { forkRun } from '../../src/runs/forks/fork-run.ts';
import { openSession } from '../../src/runs/underway/open-session.ts';
import { scratchFolder } from '../guests/command-line.ts';
import { LONG } from '../how-long.ts';
import { without } from '../stepping-aside.ts';
import { buildSleeper, gdbOn, guestOptions, NO_COMPILER, NO_GDB, runTypedAt, valuesIn } from './stock-gdb.ts';

const folder = scratchFolder();
const MINUTES = 240_000;

let sleeper: ReturnType<typeof buildSleeper>;
beforeAll(() => {
  sleeper = buildSleeper(folder);
});

/** An address of the guest's. */
function addressOf(name: string): bigint {
  const address = readSymbols(sleeper.symbols, readFileSync(sleeper.symbols)).addressOf(name);
  if (address === undefined) throw new Error(`The guest has no ${name}.`);
  return address;
}

function arrive(journey: Journey): Arrived {
  for (;;) {
    const { done, value } = journey.next();
    if (done === true) return value;
  }
}

/** A guest that three alarms wake, before somebody who might type: idle time is skipped as the clock allows. */
function recordSleeper(trace: string): void {
  const output = { serial: () => undefined, character: () => undefined };
  const options = [...guestOptions({ ...sleeper, line: () => 0 }), '-serial', 'stdio', '--trace', trace];
  const session = openSession(NODE, runOptions(options), output);
  while (session.run(1000, true).pause !== 'ended') session.warp();
  session.close();
}

describe('a run that idles through more than 20,000 masked ticks in a row', {
  ...LONG,
  ...without(NO_COMPILER),
}, () => {
  const trace = join(folder, 'sleeper.trace');
  beforeAll(() => recordSleeper(trace), MINUTES);

  const stand = () => {
    const recorded = openTimeline(openRecordedRun(NODE, trace, {}));
    // Between two wakings are those of a minute at least.
    const jumps = recorded.events.filter(({ event }) => event.kind === 'sim:idle_warped');
    expect(jumps.length).toBeGreaterThan(2 * 35_000);
    const wakings = recorded.events.filter(({ event }) => event.kind === 'kvm_vcpu_wakeup').slice(-3);
    return { recorded, wakings: wakings.map(({ tick }) => tick) };
  };
  const woken = (): bigint => addressOf('woken');
  test('is gone through to its end, each write found on the way, there and back', { timeout: MINUTES }, () => {
    const { recorded, wakings } = stand();
    const { traveller, moment } = subjectOf(recorded);
    const watchpoint = { address: woken(), length: 4, on: 'write' } as const;
    const wanted: StopsWanted = { breakpoints: [], watchpoints: [watchpoint], isWanted: () => true };
    const met: number[] = [];
    while (arrive(traveller.run(wanted)).why === 'watch') met.push(moment().tick);
    expect(met).toHaveLength(3);
    expect(met.every((tick, at) => tick > (wakings[at] as number) && tick < (wakings[at + 1] ?? Infinity))).toBe(true);
    expect(traveller.isAtEnd).toBe(true);
    const back: number[] = [];
    while (arrive(traveller.runBack(wanted)).why === 'watch') back.push(moment().tick + 1);
    expect(back).toEqual(met.reverse());
  });

  test('is stepped through over its idle time, there and back', { timeout: MINUTES }, () => {
    const { recorded, wakings } = stand();
    const { traveller, moment, registers } = subjectOf(recorded);
    const nothing: StopsWanted = { breakpoints: [], watchpoints: [], isWanted: () => true };
    for (const tick of wakings) {
      arrive(traveller.go(tick - 1));
      const before = registers(0).rip;
      expect(arrive(traveller.step(0, nothing)).why).toBe('step');
      expect(registers(0).rip).toBe(addressOf('on_alarm'));
      const after = moment().tick;
      expect(arrive(traveller.stepBack(0, nothing)).why).toBe('step');
      expect(registers(0).rip).toBe(before);
      arrive(traveller.go(after));
      expect(registers(0).rip).toBe(addressOf('on_alarm'));
    }
  });

  test('is sought in at once, and forked where it was asked for', { timeout: MINUTES }, () => {
    const { wakings } = stand();
    const last = wakings.at(-1) as number;
    expect(stand().recorded.timeline.seek(last).tick).toBe(last);
    expect(openDebugSession(stand().recorded).at(`${last}`).tick).toBe(last);
    const run = openRecordedRun(NODE, trace, {});
    const fork = { run, place: `${last}`, changes: [], said: '', trace: join(folder, 'fork.trace'), ticks: last + 1 };
    expect(forkRun({ ...fork, onSerial: () => undefined }).at.tick).toBe(last);
  });

  test('shows the prompt every write of it', { timeout: MINUTES }, () => {
    const session = openDebugSession(stand().recorded);
    const stop = parseWatch(`phys:0x${woken().toString(16)}/4`, wordsIn(session));
    const met: number[] = [];
    while (finish(findNext(session, [stop])) !== undefined) met.push(session.now.tick);
    expect(met).toHaveLength(3);
    const back: number[] = [];
    while (finish(findPrevious(session, [stop])) !== undefined) back.push(session.now.tick + 1);
    expect(back).toEqual([...met].reverse());
    const written = answerPrompt(session, `history phys:0x${woken().toString(16)}/4`);
    // By the instruction that writes, which begins a tick before.
    const told = [...written.matchAll(/^ *tick (\d+)/gm)].map(([, tick]) => Number(tick) + 1);
    expect(told).toEqual(met);
  });
});

describe('a step of a run under way, at HLT with nothing to come', {
  ...LONG,
  ...without(NO_GDB, NO_COMPILER),
}, () => {
  const SHOWN = [String.raw`printf "vtime=%ld\nevseq=%d\npc=0x%lx\n", $vtime, $evseq, $pc`];
  const hexadecimal = (name: string): string => `0x${addressOf(name).toString(16)}`;

  test('keeps the pace of the clock, is ended by Ctrl-C, and goes on when somebody types', {
    timeout: MINUTES,
  }, async () => {
    const trace = join(folder, 'live.trace');
    const options = guestOptions({ ...sleeper, line: () => 0 });
    const served = await runTypedAt(...options, '-serial', 'stdio', '--trace', trace, '-S');
    let asked = 0;
    const out = await gdbOn(
      served,
      folder,
      [
        ...[
          `break *${hexadecimal('sleeps')}`,
          'continue',
          'delete',
          'stepi',
          ...SHOWN,
          'echo go\\n',
          'stepi',
          ...SHOWN,
        ],
        ...['echo type\\n', 'stepi', ...SHOWN, 'reverse-stepi', ...SHOWN, 'stepi', ...SHOWN],
      ],
      [],
      (printed, gdb) => {
        if (asked === 0 && printed.includes('go\n')) setTimeout(() => gdb.kill('SIGINT'), 3000);
        if (asked === 1 && printed.includes('type\n')) setTimeout(() => served.process.stdin?.write('a'), 1000);
        asked = printed.includes('type\n') ? 2 : printed.includes('go\n') ? 1 : 0;
      },
    );
    served.stop();
    const [before, interrupted, woken] = valuesIn(out, 'vtime').map((ns) => Number(ns) / 1e9);
    const [first, , last] = valuesIn(out, 'evseq').map(Number);
    expect(out).toContain('Program received signal SIGINT');
    // Three seconds of the host's, however busy it is; at its own pace the machine would be days on.
    expect((interrupted as number) - (before as number)).toBeLessThan(120);
    expect((woken as number) - (before as number)).toBeLessThan(240);
    expect((last as number) - (first as number)).toBeLessThan(100_000);
    const asleep = `0x${(addressOf('sleeps') + 1n).toString(16)}`;
    const woke = hexadecimal('on_serial');
    const halted = `0x${(addressOf('sleeps') + 2n).toString(16)}`;
    expect(valuesIn(out, 'pc')).toEqual([asleep, halted, woke, asleep, woke]);
  });
});
