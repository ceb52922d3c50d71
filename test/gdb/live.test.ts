import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { diff } from '../../src/cli/diff.ts';
import { replay } from '../../src/cli/replay-commands.ts';
import { packetOf } from '../../src/gdb/packet.ts';
import { printed, retrovisor, scratchFolder } from '../guests/command-line.ts';
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
  runLive,
  type Served,
  type ServedProcess,
  valuesIn,
} from './stock-gdb.ts';

const folder = scratchFolder();
const TICK = String.raw`printf "tick=%d\n", $icount`;
const COUNTER = String.raw`printf "counter=%d\n", counter`;
const MINUTES = 120_000;

let guest: BuiltGuest;
beforeAll(() => {
  guest = buildGuest(folder);
}, MINUTES);

const ended = ({ process }: ServedProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (process.exitCode !== null) resolve(process.exitCode);
    else process.on('exit', resolve);
  });

const start = (trace: string, ...options: string[]): Promise<ServedProcess> =>
  runLive(...guestOptions(guest), '--trace', trace, ...options);

/** gdb on a run, with the guest's symbols. */
const gdb = (served: Served, ...commands: string[]): Promise<string> =>
  gdbOn(served, folder, commands, [guest.symbols]);

/** The same, with Ctrl-C pressed a while after gdb has printed `go`. */
const gdbInterrupted = (served: Served, ...commands: string[]): Promise<string> => {
  let times = 0;
  return gdbOn(served, folder, commands, [guest.symbols], (out, { pid }) => {
    const asked = out.split('go\n').length - 1;
    for (; times < asked; times += 1) setTimeout(() => process.kill(pid as number, 'SIGINT'), 1000);
  });
};

describe('stock gdb on a run under way', without(NO_GDB, NO_COMPILER), () => {
  test('goes back and forth in what has happened, goes on beyond it, and leaves the trace as it would have been', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const alone = join(folder, 'alone.trace');
    const trace = join(folder, 'together.trace');
    recordRun([...guestOptions(guest), '--trace', alone]);
    const served = await start(trace, '-S');
    const forth = ['stepi 3', 'break square', 'continue', TICK, 'continue', TICK];
    const back = ['reverse-continue', TICK, 'reverse-finish', 'delete', 'watch counter', 'continue', COUNTER, TICK];
    const again = ['continue', COUNTER, 'reverse-continue', COUNTER, 'continue', COUNTER, 'delete', 'reverse-stepi'];
    const out = await gdb(served, TICK, ...forth, ...back, ...again, 'continue', 'reverse-continue', TICK);
    expect(await ended(served)).toBe(1);
    const ticks = valuesIn(out, 'tick').map(Number);
    expect(ticks[0]).toBe(0);
    expect(ticks[3]).toBe(ticks[1]);
    expect(ticks[2]).toBeGreaterThan(ticks[1] as number);
    expect(ticks[5]).toBe(0);
    expect(valuesIn(out, 'counter')).toEqual(['1', '2', '1', '2']);
    expect(out).not.toContain('SIGTRAP');
    expect(await printed((print) => diff(alone, trace, print))).toContain('the runs do not differ');
    expect(await printed((print) => replay(trace, {}, print))).toContain('0 divergences');
  });

  test('stops a guest that runs when it comes and by Ctrl-C, and what it changes there is recorded', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const trace = join(folder, 'spin.trace');
    const served = await start(trace, '-append', 'spin');
    const once = ['echo go\\n', 'continue', COUNTER, TICK, 'backtrace'];
    const more = ['stepi 10', TICK, 'reverse-stepi 10', TICK, ...once, 'set var spinning = 0', 'echo end\\n'];
    const out = await gdbInterrupted(served, TICK, ...once, ...more);
    expect(out.match(/Program received signal SIGINT/g)).toHaveLength(2);
    const ticks = valuesIn(out, 'tick').map(Number);
    expect(ticks[1]).toBeGreaterThan(ticks[0] as number);
    expect([ticks[2], ticks[3]]).toEqual([(ticks[1] as number) + 10, ticks[1]]);
    expect(ticks[4]).toBeGreaterThan(ticks[1] as number);
    expect(out).toMatch(/main \(\) at /);
    expect(await ended(served)).not.toBe(0);
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
    expect(retrovisor(['events', trace, '--inputs']).out).toMatch(/sim:intervened: .*memory/);
  });

  test('forks the past of a run under way, which itself goes on to the trace it would have left', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const alone = join(folder, 'unforked.trace');
    const trace = join(folder, 'forked.trace');
    retrovisor(['run', ...guestOptions(guest), '--trace', alone]);
    const served = await start(trace, '-S', '--allow-write', folder);
    const change = ['break main.c:54', 'continue', 'reverse-stepi', 'set var counter = 500', COUNTER, 'monitor fork'];
    const fork = ['delete', 'finish', COUNTER, 'print square(12)', 'monitor fork save x.trace'];
    const back = ['monitor fork discard', 'maintenance flush register-cache', COUNTER, 'monitor fork'];
    const out = await gdb(served, ...change, ...fork, ...back, 'continue');
    expect(await ended(served)).toBe(1);
    expect(valuesIn(out, 'counter')).toEqual(['500', '11', '0']);
    expect(out).toContain('$1 = 144');
    expect(out).toMatch(/A fork since instruction \d+, .*Changed: mem:0x/);
    expect(out).toContain('when it has ended');
    expect(out).toContain('nothing was changed');
    expect(retrovisor(['diff', alone, trace]).out).toContain('the runs do not differ');
  });

  test('cannot come where another server listens, and the run says so and leaves a trace that can be read', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const trace = join(folder, 'taken.trace');
    const served = await start(join(folder, 'listens.trace'), '-S');
    const ran = retrovisor(['run', ...guestOptions(guest), '-gdb', `tcp::${served.port}`, '--trace', trace]);
    served.stop();
    expect(ran.status).toBe(1);
    expect(ran.err).toContain('it is taken');
    expect(retrovisor(['info', trace]).status).toBe(0);
    const symbols = retrovisor(['symbols', trace, '-o', join(folder, 'none.sym')]);
    expect(symbols.status).toBe(1);
    expect(symbols.err).toContain("No kernel's kallsyms is in memory");
  });

  test('ends the run by kill, and its trace is whole', { ...LONG, timeout: MINUTES }, async () => {
    const trace = join(folder, 'killed.trace');
    const served = await start(trace, '-append', 'spin');
    await gdb(served, 'break count', 'stepi', 'kill');
    expect(await ended(served)).toBe(0);
    expect(served.said()).toContain('Ended by gdb.');
    expect(retrovisor(['replay', trace]).out).toContain('0 divergences');
  });

  test('is let in again after it has vanished, and a second one is refused', {
    ...LONG,
    timeout: MINUTES,
  }, async () => {
    const served = await start(join(folder, 'vanish.trace'), '-append', 'spin');
    const open = () =>
      new Promise<{ heard: () => string; end: () => void }>((resolve) => {
        let heard = '';
        const socket = connect(served.port, '127.0.0.1', () => void socket.write(packetOf('vCont;c')));
        socket.on('error', () => undefined);
        socket.on('data', (bytes) => void (heard += bytes.toString('latin1')));
        setTimeout(() => resolve({ heard: () => heard, end: () => void socket.destroy() }), 500);
      });
    const first = await open();
    const second = await open();
    expect(first.heard()).toBe('+');
    expect(second.heard()).toBe('');
    expect(served.said()).toContain('one at a time');
    first.end();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const out = await gdb(served, TICK, 'stepi', TICK);
    const [one, two] = valuesIn(out, 'tick').map(Number);
    expect(two).toBe((one as number) + 1);
    served.stop();
    expect(await ended(served)).toBe(143);
  });
});
