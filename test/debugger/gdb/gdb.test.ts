import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packetOf } from '../../../src/debugger/gdb/packet.ts';
import { retrovisor, scratchFolder } from '../../guests/command-line.ts';
import { gdbOn, hasGdb, seek, type Served, serve, valuesIn } from './stock-gdb.ts';

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
  retrovisor(['run', '--trace', trace]);
  retrovisor(['run', '-smp', '2', '--trace', trace2]);
  end = Number(/ends at event \d+, tick (\d+)/.exec(retrovisor(['info', trace]).out)?.[1]);
  served = await serve(trace);
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

describe.skipIf(!hasGdb)('stock gdb on a recorded run', () => {
  test.each([0.001, 0.3, 0.99])(
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
    'shows two processors as two threads and steps the one it is asked to',
    async () => {
      const two = await serve(trace2, '--once');
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

describe('a client that is no gdb', () => {
  const bytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const talk = (text: string, isEnough: (heard: string) => boolean): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(served.port, '127.0.0.1', () => void socket.write(bytes(text)));
      let heard = '';
      socket.on('data', (data) => {
        heard += data.toString('latin1');
        if (isEnough(heard)) socket.destroy();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(heard));
    });

  /** The one before may not have left yet: refused, try again. */
  const talkServed = async (text: string, isEnough: (heard: string) => boolean): Promise<string> => {
    for (;;) {
      const heard = await talk(text, isEnough);
      if (heard !== '') return heard;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const askedUntilServed = (): Promise<string> => talkServed(packetOf('qAttached'), (all) => all.includes('#'));

  test(
    'gets an empty answer to what is not known, and an error for nonsense',
    async () => {
      const heard = await talkServed(
        ['QStartNoAckMode', 'qWhatever', 'mxyz', 'p9999', 'Z0,', 'Hgffff', 'vCont;s:99'].map(packetOf).join(''),
        (all) => all.split('#').length > 7,
      );
      const answers = [...heard.matchAll(/\$([^#]*)#/g)].map(([, body]) => body);
      expect(answers).toEqual(['OK', '', 'E22', 'E00', 'E22', 'E01', 'E01']);
    },
    MINUTES,
  );

  test(
    'may vanish in the middle of a command: the next is served',
    async () => {
      for (const cut of ['$m0,', packetOf('c'), '$', packetOf('bc')]) {
        const socket = connect(served.port, '127.0.0.1', () => socket.end(bytes(cut), () => socket.destroy()));
        socket.on('error', () => undefined);
        await new Promise((resolve) => socket.once('close', resolve));
      }
      expect(await askedUntilServed()).toContain(packetOf('1'));
    },
    MINUTES,
  );

  test(
    'that floods is disconnected, and the next is served',
    async () => {
      await talkServed(packetOf('bc').repeat(5000), () => false);
      expect(served.said()).toContain('it was disconnected');
      expect(await askedUntilServed()).toContain(packetOf('1'));
    },
    MINUTES,
  );

  test(
    'that comes second is refused while the first goes on',
    async () => {
      const connected = (): Promise<Socket | undefined> =>
        new Promise((resolve) => {
          const socket = connect(served.port, '127.0.0.1', () => void socket.write(packetOf('qAttached')));
          socket.once('data', () => resolve(socket));
          socket.once('close', () => resolve(undefined));
          socket.on('error', () => undefined);
        });
      let first = await connected();
      while (first === undefined) first = await connected();
      expect(await talk(packetOf('qAttached'), () => false)).toBe('');
      expect(served.said()).toContain('one at a time');
      first.destroy();
    },
    MINUTES,
  );
});
