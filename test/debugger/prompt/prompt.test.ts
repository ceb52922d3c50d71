import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { answerPrompt, completionsOf } from '../../../src/debugger/prompt/prompt.ts';
import type { DebugSession } from '../../../src/debugger/session.ts';
import { NO_SYMBOLS, symbolTable } from '../../../src/debugger/symbols/symbols.ts';
import { tool, without } from '../../stepping-aside.ts';
import { debugTour, recordTour, traceFolder } from '../recorded-tour.ts';

const folder = traceFolder();
const TOUR = fileURLToPath(new URL('../../../guests/tour/tour.elf', import.meta.url));

let session: DebugSession;
const ask = (line: string): string => answerPrompt(session, line);

beforeAll(() => {
  const trace = join(folder, 'tour.trace');
  recordTour(trace);
  session = debugTour(trace);
});

describe('the prompt', () => {
  test('stands where it is sent, and steps there and back', () => {
    ask('at 50%');
    const { tick } = session.now;
    const here = ask('regs');
    expect(ask('step 5')).toContain(`tick ${tick + 5} `);
    expect(ask('back 5')).toContain(`tick ${tick} `);
    expect(ask('regs')).toBe(here);
  });

  test('goes to the next and the last event of a kind', () => {
    ask('at start');
    expect(ask('continue kvm_exit CPUID')).toContain('reason CPUID');
    const first = session.now;
    expect(ask('continue kvm_exit CPUID')).toContain('reason CPUID');
    expect(session.now.seq).toBeGreaterThan(first.seq);
    expect(ask('rcontinue kvm_exit CPUID')).toContain('reason CPUID');
    expect(session.now).toEqual(first);
    expect(ask('rcontinue sim:powered_off')).toContain('No earlier event');
  });

  test('disassembles as objdump does, up to spelling', without(tool('objdump')), () => {
    const dump = spawnSync('objdump', ['-d', '-M', 'intel', TOUR], { encoding: 'utf8' }).stdout;
    const expected = new Map(
      [...dump.matchAll(/^ +([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t/gm)].map((match) => [match[1], match[2]]),
    );
    ask('at 20000');
    const lines = ask('disas $pc 20').split('\n');
    for (const line of lines) {
      const [, address, digits] = /0x([0-9a-f]+): ((?:[0-9a-f]{2} )+)/.exec(line) as unknown as [
        string,
        string,
        string,
      ];
      // objdump puts the rest of a long instruction on another line.
      expect(digits.trim().startsWith(expected.get(address)?.trim() ?? 'not an instruction')).toBe(true);
    }
    expect(lines).toHaveLength(20);
  });

  test('translates an address through the guest tables and EPT to the frame its bytes lie in', () => {
    ask('at 20000');
    const text = ask('translate $pc');
    expect(text).toMatch(/PML4E.*\n.*PDPTE.*\n.*PDE.*PS/);
    expect(text).toMatch(/EPT level 1/);
    const gpa = /guest-physical (0x[0-9a-f]+)/.exec(text)?.[1];
    expect(ask(`xp/2xg ${gpa}`).split(': ')[1]).toBe(ask('x/2xg $pc').split(': ')[1]);
    expect(ask('translate 0xffff800000000000')).toContain('not mapped by the guest');
  });

  test('names the instruction that last changed a word of the stack', () => {
    ask('at 40000');
    const stack = BigInt(`0x${/RSP=([0-9a-f]+)/.exec(ask('regs'))?.[1]}`);
    const address = `0x${(stack - 8n).toString(16)}`;
    const answer = ask(`why ${address}`);
    const tick = Number(/at tick (\d+) by vcpu0/.exec(answer)?.[1]);
    const [, before, after] = /: (0x[0-9a-f]+) -> (0x[0-9a-f]+)/.exec(answer) as RegExpExecArray;
    expect(session.now.tick).toBe(40_000);
    const value = (): string => ask(`x/1xg ${address}`).split(': ')[1]!;
    expect(value()).toBe(after);
    ask(`at ${tick}`);
    expect(value()).toBe(before);
    ask('step');
    expect(value()).toBe(after);
  });

  test('stops at every VM entry that begins at a breakpoint, and comes back to each', () => {
    ask('at 1000');
    // What follows an OUT is only ever reached by an entry.
    ask('continue kvm_pio pio_write at 0x3f8');
    const rip = /rip (0x[0-9a-f]+)/.exec(ask('continue kvm_entry'))?.[1] as string;
    ask('at 1000');
    const entries: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      ask(`continue kvm_entry ${rip}`);
      entries.push(session.now.tick);
    }
    ask(`break ${rip}`);
    ask('at 1000');
    const stops = entries.map(() => {
      expect(ask('continue')).toContain('A breakpoint: ');
      return session.now.tick;
    });
    expect(stops).toEqual(entries);
    for (const tick of entries.slice(0, -1).reverse()) {
      ask('rcontinue');
      expect(session.now.tick).toBe(tick);
    }
    expect(ask('delete')).toBe('Nothing to stop at.');
  });

  test('stops before a watched write when going back, after it when going on', () => {
    ask('at 40000');
    ask('watch $rsp-8/8');
    const [stop] = session.stops;
    if (stop?.what !== 'access') throw new Error('watch sets a stop at an access');
    const address = `0x${stop.address.toString(16)}`;
    const value = (): string => ask(`x/1xg ${address}`).split(': ')[1]!;
    expect(ask('rcontinue')).toContain('Before a hit of watch $rsp-8/8');
    const { tick } = session.now;
    const before = value();
    expect(ask('continue')).toContain('After a hit of watch $rsp-8/8');
    expect(session.now.tick).toBe(tick + 1);
    ask('delete');
    const all = ask(`history ${address}`);
    expect(all).toMatch(/: \d+ writes/);
    ask('at 40000');
    expect(ask(`why ${address}`)).toContain(`${before} -> `);
  });

  test('tells the fields in which two marks differ', () => {
    expect(ask('diff 20000 20001')).toMatch(/^1 fields and 0 pages [^\n]*\n {2}registers\.0\.rip: 0x\w+ -> 0x\w+$/);
    const answer = ask('diff 0 20000');
    expect(answer).toMatch(/ {2}registers\.0\.rip: 0x\w+ -> 0x\w+\n/);
    expect(answer).toMatch(/ {2}at\.seq: \d+ -> \d+\n/);
    expect(answer).toMatch(/ {2}clock\.warpedNs: \d+ -> \d+\n/);
    expect(ask('diff 20000 20000')).toBe('0 fields and 0 pages of guest memory differ.');
  });

  test('counts both marks of a difference from here', () => {
    ask('at 20000');
    const one = ask('diff -60');
    expect(one).toMatch(/^[1-9]\d* fields/);
    expect(ask('diff -60 +0')).toBe(one);
    expect(ask('diff tick 19940 tick 20000')).toBe(one);
    expect(ask('diff -60 +60')).toBe(ask('diff 19940 20060'));
    expect(session.now.tick).toBe(20_000);
  });

  test('takes back every place it prints', () => {
    ask('at 20000');
    const [place = '', instruction = ''] = ask('step 123').split('\n');
    const [, tick, seq] = /^tick (\d+) after #(\d+)/.exec(place) as unknown as [string, string, string];
    ask('at start');
    expect(ask(`at tick ${tick}`)).toBe([place, instruction].join('\n'));
    ask(`at #${seq}`);
    expect(session.seq).toBe(Number(seq) + 1);
    const [, address] = /(0x[0-9a-f]+)/.exec(instruction) as unknown as [string, string];
    expect(ask(`at ${address}`)).toContain(`=> ${address}`);
    const first = session.now;
    expect(first.tick).toBeLessThanOrEqual(Number(tick));
    session.symbols = symbolTable([{ name: 'marked', address: BigInt(address) - 4n, size: 64n }]);
    ask('at start');
    expect(ask('at marked+0x4')).toContain(`=> ${address} <marked+0x4>`);
    expect(session.now).toEqual(first);
    expect(ask(`x/1xg marked+4`)).toBe(ask(`x/1xg ${address}`));
    session.symbols = NO_SYMBOLS;
  });

  test('tells the history of a part of the state by its leaves, with who changed each', () => {
    ask('at 20000');
    expect(ask('history kvm.vcpus.0.lapic --all')).toContain('has no field');
    const path = 'kvm.vcpus.0.run';
    const some = ask(`history ${path}`);
    const [head = '', ...rows] = ask(`history ${path} --all`).split('\n');
    const leaf = /^ {2}tick \d+: kvm\.vcpus\.0\.run\.[\w.]+: \S+ -> \S+ {2}\S+ \S+ #\d+ at 0x[0-9a-f]+/;
    const silent = rows.filter((row) => !leaf.test(row));
    expect(silent).toEqual([]);
    const count = Number(/: (\d+) changes$/.exec(head)?.[1]);
    expect(new Set(rows.map((row) => / #(\d+) /.exec(row)?.[1])).size).toBe(count);
    expect(some.split('\n')[0]).toBe(head);
    expect(count).toBeGreaterThan(40);
    expect(some).toContain(`and ${count - 40} more: \`--all\` shows them`);
    for (const row of rows) {
      const [, before, after] = /: (\S+) -> (\S+)/.exec(row) as unknown as [string, string, string];
      expect(before).not.toBe(after);
    }
  });

  test.each(['vmcs', 'ept', 'lapic', 'pic', 'bt', 'events 4', 'help', 'ept 0x100000', 'x/s $pc'])(
    'answers %s',
    (line) => {
      expect(ask(line)).not.toMatch(/Unknown|undefined|NaN/);
    },
  );

  test.each([
    ['at 99999999999', 'lies outside the run'],
    ['at #99999999', 'There is no event'],
    ['at nowhere', 'neither a place nor a kind'],
    ['x nosuch', 'No symbol is named nosuch'],
    ['x $nosuch', 'No register is named nosuch'],
    ['x/4xg 0xffff800000000000', 'There is no memory'],
    ['step much', 'is not a count'],
    ['frobnicate', 'Unknown command'],
    ['constructor', 'Unknown command'],
    ['toString x', 'Unknown command'],
    ['diff', 'Say which marks'],
    ['why', 'Say which address'],
    ['vcpu 7', 'There is no vcpu 7'],
  ])('answers %s with a sentence and stays where it was', (line, sentence) => {
    ask('at 20000');
    expect(ask(line)).toContain(sentence);
    expect(session.now.tick).toBe(20_000);
  });

  test('goes where something was printed, as text or by a regular expression, in either direction', () => {
    const printed = session.run.events.filter(({ event }) => event.kind === 'sim:serial_sent');
    const text = printed.map(({ event }) => String.fromCharCode((event as { byte: number }).byte)).join('');
    const ends = [...text.matchAll(/ \d /g)].map(({ index }) => printed[index + 2]!.seq + 1);
    expect(ends.length).toBeGreaterThan(2);
    ask('at start');
    ask('break print /^ +\\d (?= )/ if line == 0');
    for (const seq of ends) {
      expect(ask('continue')).toMatch(/^break print [^\n]*: #\d+ tick \d+ vcpu0 sim:serial_sent: /);
      expect(session.seq).toBe(seq);
    }
    for (const seq of ends.slice(0, -1).reverse()) {
      ask('rcontinue');
      expect(session.seq).toBe(seq);
    }
    ask('delete');
    ask('at print "from the inside"');
    expect(session.seq).toBe(printed[text.indexOf('from the inside') + 14]!.seq + 1);
    ask('at start');
    expect(ask('continue print serial0 /INSIDE/i')).toContain('sim:serial_sent');
    expect(session.seq).toBe(printed[text.indexOf('from the inside') + 14]!.seq + 1);
    expect(ask('at print "never"')).toContain('Nowhere in the run is it printed');
    expect(ask('at print debugcon "x"')).toContain('Nothing was printed on debugcon: this run has serial0.');
    expect(ask('break print /(/')).toContain('cannot be read');
    expect(ask('break print')).toContain('Say what is printed');
  });

  test('forgets a temporary stop once it was met', () => {
    ask('at start');
    ask('break exit CPUID');
    expect(ask('tbreak exit CPUID if seq > 0')).toBe('2: tbreak exit CPUID if seq > 0');
    ask('delete 1');
    expect(ask('continue')).toContain('tbreak exit CPUID');
    expect(ask('stops')).toBe('Nothing to stop at.');
  });

  test('refuses a condition by the column, and keeps what there was', () => {
    expect(ask('break exit CPUID if exit_reson == 1')).toBe(
      'No field is named exit_reson: did you mean exit_reason? (column 1)\n  exit_reson == 1\n  ^',
    );
    expect(ask('break exit CPUDI')).toBe('No exit reason is named CPUDI: did you mean CPUID?');
    expect(ask('watch $rax if $oldd == 1')).toContain('No register is named oldd');
    expect(ask('watch 0x1000/64 if $old == 1')).toContain('for up to 8 bytes');
    expect(ask('break 0x1000 if $old == 1')).toContain('(column 1)');
    const blanks = ' '.repeat(100_000);
    for (const line of [`find last break event kvm_exit${blanks}x`, `watch 1${blanks}2`, `at kvm_exit${blanks}x`]) {
      expect(ask(line)).toContain('at most 2000 characters');
    }
    expect(ask('stops')).toBe('Nothing to stop at.');
  });

  test('completes commands and kinds of events', () => {
    expect(completionsOf(session, 'tran')[0]).toEqual(['translate ']);
    expect(completionsOf(session, 'continue kvm_pi')[0]).toContain('kvm_pio');
  });
});
