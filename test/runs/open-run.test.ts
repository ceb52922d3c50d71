import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { map, type Observable } from 'rxjs';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { MachineState, Stamped } from '../../src/api/index.ts';
import { openTraceFile } from '../../src/host/trace-file.ts';
import { readAll } from '../../src/replay/trace/reader.ts';
import { openRun, openTrace, powerOn, record, reduce, replay, type RunRequest, slice$ } from '../../src/api/index.ts';
import { LONG } from '../how-long.ts';

const folder = mkdtempSync(join(tmpdir(), 'retrovisor-streams-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SHORT: RunRequest = { wallClock: 1_700_000_000, ticks: 60_000, smp: 2 };
const traceAt = (name: string): string => join(folder, `${name}.trace`);

/** Where chunks are cut depends on how fast the host was; what is in them does not. */
const recordedIn = (name: string) => readAll(openTraceFile(traceAt(name)));

/** What comes of typing at a line, pressing a button and pressing a key. */
const INPUTS: readonly string[] = ['sim:serial_received', 'sim:power_button_pressed', 'sim:keyboard_received'];

/** The event during whose telling things are done. */
const MIDDLE = 3000;

describe('a run under way', () => {
  test('tells every event from the first on, and being watched changes nothing', async () => {
    const quiet = await record({ ...SHORT, trace: traceAt('quiet') });
    const run = openRun({ ...SHORT, trace: traceAt('watched') });
    const told: Stamped[] = [];
    const states: MachineState[] = [];
    run.events$.subscribe((stamped) => told.push(stamped));
    run.states$.subscribe((state) => states.push(state));
    const { why, status } = await run.ended();
    expect({ why, status }).toEqual({ why: 'ended', status: quiet.status });
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, at) => at));
    expect(told.length).toBeGreaterThan(MIDDLE);
    expect(states.map(({ at }) => at)).toEqual(told.map(({ seq, tick }) => ({ seq, tick })));
    expect(recordedIn('watched')).toEqual(recordedIn('quiet'));
  });

  test('has the states that its events amount to, immutable and sharing what did not change', async () => {
    const run = openRun(SHORT);
    let folded = powerOn(run.describe().machine);
    let shared = 0;
    let before: MachineState | undefined;
    run.events$.subscribe((stamped) => {
      folded = reduce(folded, stamped);
    });
    run.states$.subscribe((state) => {
      if (before?.vmm === state.vmm) shared += 1;
      expect(Object.isFrozen(state) && Object.isFrozen(state.kvm) && Object.isFrozen(state.at)).toBe(true);
      before = state;
    });
    await run.ended();
    expect(before).toEqual(folded);
    expect(shared).toBeGreaterThan(MIDDLE / 2);
  });

  test('is joined late from where it is: events without a gap, and the state there', async () => {
    const run = openRun(SHORT);
    const late: number[] = [];
    const states: MachineState[] = [];
    const whole: MachineState[] = [];
    run.states$.subscribe((state) => whole.push(state));
    run.events$.subscribe(({ seq }) => {
      if (seq !== MIDDLE) return;
      run.events$.subscribe((stamped) => late.push(stamped.seq));
      run.states$.subscribe((state) => states.push(state));
    });
    await run.ended();
    expect(late[0]).toBe(MIDDLE + 1);
    expect(late).toEqual(late.map((_, at) => MIDDLE + 1 + at));
    expect(states.at(-1)).toEqual(whole.at(-1));
  });

  test('stands while it is held, however long', async () => {
    const run = openRun(SHORT);
    let last = -1;
    let hold: ReturnType<typeof run.hold> | undefined;
    run.events$.subscribe(({ seq }) => {
      last = seq;
      if (seq === MIDDLE) hold = run.hold();
    });
    run.start();
    while (hold === undefined) await new Promise((resolve) => void setTimeout(resolve, 5));
    const stoodAt = last;
    await new Promise((resolve) => void setTimeout(resolve, 100));
    expect(last).toBe(stoodAt);
    // The step under way came to its end.
    expect(stoodAt - MIDDLE).toBeLessThan(100);
    hold.release();
    hold.release();
    await run.ended();
    expect(last).toBeGreaterThan(stoodAt);
  });

  test('has all that was told in its trace while it is held for ever', async () => {
    const run = openRun({ ...SHORT, trace: traceAt('held') });
    let last = -1;
    run.events$.subscribe(({ seq }) => {
      last = seq;
      if (seq === MIDDLE) run.hold();
    });
    run.start();
    const written = (): number => {
      const trace = last < MIDDLE ? undefined : openTrace(traceAt('held'));
      const events = trace?.describe().events ?? 0;
      trace?.close();
      return events;
    };
    await vi.waitUntil(() => written() === last + 1 && last >= MIDDLE, { timeout: 30_000, interval: 50 });
    run.close();
    await run.ended();
  });

  test('takes what is typed and pressed in a subscriber as inputs at its next step, and replays', async () => {
    const run = openRun({ ...SHORT, trace: traceAt('typed') });
    const inputs: Stamped[] = [];
    run.events$.subscribe((stamped) => {
      if (stamped.seq === MIDDLE) {
        run.type('a');
        run.press('power');
        run.key([0x1e, 0x9e]);
      }
      if (stamped.seq > 0 && INPUTS.includes(stamped.event.kind)) inputs.push(stamped);
    });
    await run.ended();
    expect(inputs.map(({ event }) => event.kind)).toEqual(INPUTS);
    expect(inputs[0]?.seq).toBeGreaterThan(MIDDLE);
    expect((inputs[0]?.seq ?? 0) - MIDDLE).toBeLessThan(100);
    expect((await replay(traceAt('typed'))).divergence).toBeUndefined();
  });

  test('goes on when an operator throws, for everybody else', async () => {
    const run = openRun(SHORT);
    let failure: unknown;
    let others = 0;
    run.events$
      .pipe(
        map(({ seq }) => {
          if (seq === MIDDLE) throw new Error('mine');
        }),
      )
      .subscribe({ error: (error: unknown) => void (failure = error) });
    run.events$.subscribe(() => others++);
    const { why } = await run.ended();
    expect(why).toBe('ended');
    expect(failure).toEqual(new Error('mine'));
    expect(others).toBeGreaterThan(MIDDLE + 1);
  });

  test('that cannot go on says so to whoever waits for its end, and to nobody else', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException').on('uncaughtException', note);
    const run = openRun(SHORT);
    run.type('x', 'isa-debugcon#3');
    await expect(run.ended()).rejects.toThrow('There is no device isa-debugcon#3 to type at.');
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.removeListener('uncaughtException', note);
    for (const other of others) process.on('uncaughtException', other);
    expect(uncaught).toEqual([]);
  });

  test('has no file open when it has ended, however many subscribed twice and never left', async () => {
    const before = readdirSync('/proc/self/fd').sort();
    const run = openRun({ ...SHORT, trace: traceAt('crowded') });
    const seen = [0, 0, 0, 0];
    const ended = [false, false, false, false];
    [run.events$, run.events$, run.states$, run.states$].forEach((stream: Observable<unknown>, who) => {
      stream.subscribe({ next: () => seen[who]!++, complete: () => void (ended[who] = true) });
    });
    await run.ended();
    expect(seen.every((count) => count === seen[0] && count > MIDDLE)).toBe(true);
    expect(ended).toEqual([true, true, true, true]);
    expect(readdirSync('/proc/self/fd').sort()).toEqual(before);
    let late = 0;
    let isOver = false;
    run.events$.subscribe({ next: () => late++, complete: () => void (isOver = true) });
    expect([late, isOver]).toEqual([0, true]);
  });

  test('ends properly when it is closed in a subscriber: its trace is whole', async () => {
    const run = openRun({ ...SHORT, trace: traceAt('closed') });
    let isComplete = false;
    run.events$.subscribe({
      next({ seq }) {
        if (seq === MIDDLE) run.close();
      },
      complete: () => void (isComplete = true),
    });
    expect((await run.ended()).why).toBe('closed');
    run.close();
    expect(isComplete).toBe(true);
    const replayed = await replay(traceAt('closed'));
    expect({ divergence: replayed.divergence, damage: replayed.damage }).toEqual({});
    expect(replayed.events).toBeGreaterThan(MIDDLE);
  });

  test('shows nobody what somebody did to an event', LONG, async () => {
    const run = openRun({ ...SHORT, trace: traceAt('bent') });
    run.events$.subscribe(({ event }) => {
      for (const value of Object.values(event)) if (value instanceof Uint8Array) value.fill(0xff);
      expect(() => Object.assign(event, { kind: 'kvm_entry' })).toThrow(TypeError);
    });
    await run.ended();
    await record({ ...SHORT, trace: traceAt('straight') });
    expect(recordedIn('bent')).toEqual(recordedIn('straight'));
  });

  test('shows the machine just after an event, and again in its trace', async () => {
    const run = openRun({ ...SHORT, trace: traceAt('moments') });
    const marks: Stamped[] = [];
    run.events$.subscribe((stamped) => {
      if (stamped.seq === 500 || stamped.seq === 1500 || stamped.seq === MIDDLE) marks.push(stamped);
    });
    await run.ended();
    const trace = openTrace(traceAt('moments'));
    for (const mark of marks.reverse()) {
      const [live, recorded] = [run.at(mark), trace.at(mark)];
      expect(live.state.at).toEqual({ seq: mark.seq, tick: mark.tick });
      expect(recorded.state).toEqual(live.state);
      expect(recorded.registers()).toEqual(live.registers());
      expect(recorded.memory(0x100000, 4096)).toEqual(live.memory(0x100000, 4096));
    }
    expect(() => run.at({ seq: 1e9, tick: 0 })).toThrow('The run has no event 1000000000');
    expect(() => trace.at({ seq: 1e9, tick: 0 })).toThrow('has no event 1000000000: the last is');
    expect(() => trace.at({ seq: 900, tick: 0 }).registers(7)).toThrow('There is no vCPU 7 at event 900.');
    trace.close();
  });

  test('tells a part of its states when it changes', async () => {
    const run = openRun(SHORT);
    const modes: number[] = [];
    slice$(run.states$, ({ vmm }) => vmm.devices.serial0?.lcr ?? -1).subscribe((lcr) => modes.push(lcr));
    await run.ended();
    expect(modes.length).toBeGreaterThan(2);
    for (let at = 1; at < modes.length; at += 1) expect(modes[at]).not.toBe(modes[at - 1]);
  });

  test('refuses what nobody understands and what is not there before anything runs', () => {
    expect(() => openRun(['--no-such-option'])).toThrow("Unknown option '--no-such-option'");
    expect(() => openRun({ kernel: join(folder, 'nothing.elf') })).toThrow('nothing.elf');
    expect(() => openRun({ smp: 99 })).toThrow('-smp');
  });
});

test('an error thrown in a subscriber ends the process with it, and leaves the trace whole', LONG, () => {
  const program = join(folder, 'thrower.mts');
  const door = join(import.meta.dirname, '../../src/api/index.ts');
  writeFileSync(
    program,
    `import { openRun } from ${JSON.stringify(door)};
     const run = openRun({ wallClock: 1_700_000_000, trace: ${JSON.stringify(traceAt('thrown'))} });
     run.events$.subscribe(({ seq }) => { if (seq === ${MIDDLE}) throw new Error('a mistake of mine'); });
     await run.ended();`,
  );
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain('a mistake of mine');
  const trace = openTrace(traceAt('thrown'));
  expect(trace.describe().damage).toBeUndefined();
  expect(trace.describe().events).toBeGreaterThan(MIDDLE);
  trace.close();
});
