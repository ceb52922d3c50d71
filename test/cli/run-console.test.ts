import { describe, expect, test } from 'vitest';
import { type ConsoleOptions, runConsole } from '../../src/cli/console.ts';
import type { TypedLine } from '../../src/runs/machine/run-options.ts';
import { type Typist, typist } from '../../src/runs/underway/typist.ts';
import { powerOn } from '../../src/api/index.ts';
import type { Session, SessionPause } from '../../src/runs/underway/session.ts';
import type { GuestView } from '../../src/machine/guest-view.ts';
import type { Terminal } from '../../src/host/terminal.ts';

/** A machine of which nothing is known but that it has an empty memory. */
const VIEW = {
  machine: {
    state: { vmm: {} },
    vmm: { memoryTrees: () => [{ what: 'address-space', name: 'memory', regions: [] }] },
  },
} as unknown as GuestView;

/** A guest that echoes what is typed at it, prints a prompt when it starts and powers off at "bye". */
function echoGuest(script: Typist, listensFrom = 0) {
  const typed: string[] = [];
  let runs = 0;
  let stopped = false;
  const session: Session = {
    state: () => powerOn(['--no-trace']),
    warnings: [],
    receive: () => undefined,
    send: () => undefined,
    hasInputs: false,
    isAwaited: false,
    run(): SessionPause {
      runs += 1;
      if (runs === 1) script.hear(Buffer.from('/ # '));
      if (typed.join('').includes('bye')) return { pause: 'ended', end: { status: 0, sentence: 'off' } };
      return runs > 50 ? { pause: 'ended', end: { status: 9 } } : { pause: 'slice' };
    },
    flush: () => undefined,
    live: undefined,
    warp: () => undefined,
    runTo: () => ({ pause: 'slice' }),
    type: (_line, bytes) => void typed.push(Buffer.from(bytes).toString()),
    listens: () => runs >= listensFrom,
    waiting: () => 0,
    get isOff() {
      return typed.join('').includes('bye');
    },
    now: () => 0,
    silence: () => 0,
    view: VIEW,
    get isStopped() {
      return stopped;
    },
    setStopped: (now) => {
      stopped = now;
    },
    figures: () => ({ ticks: 0, events: 0, exits: 0, virtualNs: 0 }),
    close: () => undefined,
  };
  return { session, typed, runs: () => runs };
}

/** A terminal on which these presses come one per look; then nothing. */
function presses(interactive: boolean, ...keys: readonly string[]) {
  const left = [...keys];
  const shown: string[] = [];
  const terminal: Terminal = {
    interactive,
    take: () => left.splice(0, 1).map((text) => Buffer.from(text, 'latin1')),
    ended: () => left.length === 0 && !interactive,
    write: (bytes) => void shown.push(typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()),
    wait: () => Promise.resolve(),
    rouse: () => undefined,
    signal: () => undefined,
    close: () => undefined,
  };
  return { terminal, shown };
}

const joined = (monitor: boolean, script: Typist): ConsoleOptions => ({
  monitor,
  line: 0,
  scripted: 0,
  typist: script,
});
const noScript: readonly TypedLine[] = [];

describe('the console', () => {
  test('passes typed keys on and ends with the guest', async () => {
    const script = typist(noScript);
    const guest = echoGuest(script);
    const end = await runConsole(guest.session, presses(true, 'good', 'bye').terminal, joined(true, script));
    expect(end).toEqual({ status: 0, sentence: 'off' });
    expect(guest.typed).toEqual(['good', 'bye']);
  });

  test('ends at Ctrl-A x with status 0', async () => {
    const script = typist(noScript);
    const end = await runConsole(echoGuest(script).session, presses(true, '\x01x').terminal, joined(true, script));
    expect(end.status).toBe(0);
  });

  test('with -no-shutdown leaves a machine standing that is off, for the monitor', async () => {
    const script = typist(noScript);
    const guest = echoGuest(script);
    const { terminal, shown } = presses(true, 'bye', '\x01c', 'info mtree\r', 'info status\r', 'cont\r', 'quit\r');
    const end = await runConsole(guest.session, terminal, { ...joined(true, script), keepsOff: true });
    expect(end).toEqual({ status: 0, sentence: 'Ended by the monitor.' });
    expect(shown.join('')).toContain('address-space: memory');
    expect(shown.join('')).toContain('VM status: paused');
    expect(shown.join('')).toContain('The guest is off.');
    expect(guest.runs()).toBeLessThan(5);
  });

  test('leaves Ctrl-A to the guest when the monitor is off', async () => {
    const script = typist(noScript);
    const guest = echoGuest(script);
    await runConsole(guest.session, presses(true, '\x01x', 'bye').terminal, joined(false, script));
    expect(guest.typed).toEqual(['\x01x', 'bye']);
  });

  test.each([
    ['in real time, as it may do so for ever', false, true],
    ['at once where the run has an end of its own', true, false],
  ])('lets a guest that has said nothing for long idle %s', async (_, endsByItself, paced) => {
    const script = typist(noScript);
    const guest = echoGuest(script);
    const asked: boolean[] = [];
    const run = (milliseconds: number, isPaced: boolean): SessionPause => {
      asked.push(isPaced);
      return guest.session.run(milliseconds, isPaced);
    };
    const silent = { ...guest.session, run, silence: () => 3600e9 };
    await runConsole(silent, presses(false).terminal, { ...joined(false, script), endsByItself });
    expect(new Set(asked)).toEqual(new Set([paced]));
  });

  test('holds piped input until the guest listens', async () => {
    const script = typist(noScript);
    const guest = echoGuest(script, 10);
    await runConsole(guest.session, presses(false, 'one ', 'two ', 'bye').terminal, joined(true, script));
    expect(guest.typed).toEqual(['one two bye']);
    expect(guest.runs()).toBeGreaterThanOrEqual(10);
  });

  test('types the script when the guest has printed what it waits for', async () => {
    const script = typist([{ after: '/ # ', text: 'bye\n' }]);
    const guest = echoGuest(script);
    const end = await runConsole(guest.session, presses(false).terminal, joined(true, script));
    expect(end.status).toBe(0);
    expect(guest.typed).toEqual(['bye\n']);
  });

  test('edits the line of the monitor as any prompt does: Up-arrow, Left, Ctrl-C, Tab and Ctrl-D', async () => {
    const script = typist(noScript);
    const guest = echoGuest(script);
    const keys = [
      '\x01c',
      'info mtree\r',
      '\x1b[A',
      '\x1b[D\x1b[De\r',
      'info mtr',
      '\x03',
      'info sta',
      '\t',
      '\r',
      '\x04',
      'bye',
    ];
    const { terminal, shown } = presses(true, ...keys);
    await runConsole(guest.session, terminal, joined(true, script));
    const said = shown.join('');
    expect(said.match(/address-space: memory/g)).toHaveLength(1);
    expect(said).toContain("Unknown command 'info mtreee'");
    expect(said).toContain('^C');
    expect(said).toContain('VM status: running');
    expect(said).not.toContain('[A');
    // After Ctrl-D the guest has the keys again.
    expect(guest.typed).toEqual(['bye']);
  });

  test('answers in the monitor what is asked there, and keeps it from the guest', async () => {
    const script = typist(noScript);
    const guest = echoGuest(script);
    const { terminal, shown } = presses(true, '\x01c', 'info mx\x7ftree\r', 'quit\r');
    const end = await runConsole(guest.session, terminal, joined(true, script));
    expect(end.status).toBe(0);
    expect(guest.typed).toEqual([]);
    expect(shown.join('')).toContain('address-space: memory');
  });

  test('stop stops the guest and cont lets it run again', async () => {
    const script = typist(noScript);
    const guest = echoGuest(script);
    const idle = Array.from({ length: 20 }, () => '');
    const { terminal } = presses(true, '\x01cstop\r', ...idle, 'cont\r', '\x01c', 'bye');
    await runConsole(guest.session, terminal, joined(true, script));
    expect(guest.runs()).toBeLessThan(8);
    expect(guest.typed).toEqual(['bye']);
  });

  test('a guest that starts stopped runs once cont lets it', async () => {
    const script = typist(noScript);
    const guest = echoGuest(script);
    const idle = Array.from({ length: 20 }, () => '');
    const { terminal } = presses(true, ...idle, '\x01ccont\r', '\x01c', 'bye');
    await runConsole(guest.session, terminal, { ...joined(true, script), startsStopped: true });
    expect(guest.runs()).toBeLessThan(8);
    expect(guest.typed).toEqual(['bye']);
  });
});
